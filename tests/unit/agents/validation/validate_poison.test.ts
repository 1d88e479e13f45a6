import { expect, test } from "vitest";
import { AgentError } from "../../../../src/agents/base/agent_error.ts";
import { validateRequest } from "../../../../src/agents/model_deployer/nodes/validate_request.ts";

const register = { deployment_action: "register", experiment_id: "remission", mlflow_run_id: "abc123" };

function refusalOf(state: Record<string, unknown>): AgentError {
  try {
    validateRequest(state);
  } catch (error) {
    if (error instanceof AgentError) return error;
    throw error;
  }
  return expect.fail(`it was accepted: ${JSON.stringify(state).slice(0, 200)}`);
}

test.each<[string, unknown]>([
  ["__proto__", JSON.parse('{"shap_analysis":{"__proto__":{"polluted":true}}}')],
  ["lc", { shap_analysis: { lc: 1, type: "constructor", id: ["x"], kwargs: {} } }],
  ["constructor", { shap_analysis: { constructor: { prototype: {} } } }],
  ["prototype", { top_interactions: [{ prototype: 1 }] }],
])("the key %s is refused wherever it stands", (key, poison) => {
  const error = refusalOf({ ...register, ...(typeof poison === "object" ? poison : {}) });
  expect(error.code).toBe("invalid_request");
  expect(error.message).toContain(`forbidden key "${key}"`);
  expect(Reflect.get({}, "polluted")).toBeUndefined();
});

test("__proto__ at the top is refused too", () => {
  const parsed: unknown = JSON.parse('{"__proto__":{"deployment_action":"register"}}');
  const state =
    typeof parsed === "object" && parsed !== null ? Object.fromEntries(Object.entries(parsed)) : {};
  expect(Object.keys(state)).toEqual(["__proto__"]);
  expect(refusalOf({ ...register, ...state }).message).toContain('forbidden key "__proto__"');
});

test("10 MB of state are refused, short and fast, whether in one text or in many", () => {
  for (const top_features of [
    ["x".repeat(10_000_000)],
    Array.from({ length: 1_000_000 }, () => "0123456789"),
  ]) {
    const error = refusalOf({ ...register, top_features });
    expect(error.message).toMatch(/larger than 1048576 bytes; hand over ids and summaries/);
    expect(error.message.length).toBeLessThan(300);
  }
});

test("what is nested without end, or contains itself, is refused", () => {
  const deep: { inner?: unknown } = {};
  deep.inner = deep;
  expect(refusalOf({ ...register, shap_analysis: deep }).message).toContain("nested deeper than 32 levels");
});

test("a long wrong value is shown cut", () => {
  const error = refusalOf({ ...register, experiment_id: "é".repeat(5000) });
  expect(error.message.length).toBeLessThan(400);
});
