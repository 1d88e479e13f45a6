import { expect, test } from "vitest";
import { AgentError } from "../../../../src/agents/base/agent_error.ts";
import { validateRequest } from "../../../../src/agents/model_deployer/nodes/validate_request.ts";

const register = { deployment_action: "register", experiment_id: "remission", mlflow_run_id: "abc123" };
const promote = { deployment_action: "promote", model_version_id: "mv_1", target_stage: "staging" };
const deploy = { deployment_action: "deploy", model_version_id: "mv_1", target_stage: "production" };
const rollback = { deployment_action: "rollback", current_deployment_id: "d1", rollback_reason: "bad" };

function refusalOf(state: Record<string, unknown>): AgentError {
  try {
    validateRequest(state);
  } catch (error) {
    if (error instanceof AgentError) return error;
    throw error;
  }
  return expect.fail(`it was accepted: ${JSON.stringify(state).slice(0, 200)}`);
}

test.each([register, promote, deploy, rollback])(
  "$deployment_action with what it needs is accepted",
  (state) => {
    expect(validateRequest(state).action_request.action).toBe(state.deployment_action);
  },
);

test("what a deployment leaves out has the spec's defaults", () => {
  expect(validateRequest(deploy).action_request).toEqual({
    action: "deploy",
    model_version_id: "mv_1",
    target_stage: "production",
    replicas: 1,
    cpu_limit: "2",
    memory_limit: "4Gi",
    autoscaling: { min: 1, max: 5, target_cpu: 70 },
    rollout: "linear",
  });
  expect(validateRequest(promote).action_request).toMatchObject({ promotion_reason: "Automated promotion" });
});

test("a request is known by its id, else by its query and action, else by its content", () => {
  const query = { session_id: "sess_0123456789abcdef", query_id: "qry_0123456789abcdef" };
  expect(validateRequest({ ...register, request_id: "r1", ...query }).idempotency_key).toBe("r1");
  expect(validateRequest({ ...register, ...query }).idempotency_key).toBe(
    "sess_0123456789abcdef:qry_0123456789abcdef:register",
  );
  expect(validateRequest(register).idempotency_key).toBeNull();
  expect(validateRequest({ ...register, session_id: query.session_id }).idempotency_key).toBeNull();
});

test.each([
  [undefined],
  [null],
  [""],
  ["Promote"],
  ["promote "],
  ["__proto__"],
  [7],
  [{}],
  [10n],
  [Symbol("x")],
  [() => 1],
])("an unknown action is named, with those that there are: %s", (deployment_action) => {
  const error = refusalOf({ ...promote, deployment_action });
  expect(error.code).toBe("invalid_deployment_action");
  expect(error.message).toContain(
    "one of register, promote, deploy, rollback, remove, restart, update, pause",
  );
});

test.each<[string, Record<string, unknown>, RegExp]>([
  ["a missing field", { ...register, mlflow_run_id: undefined }, /mlflow_run_id: .*expected string/],
  ["an unknown field", { ...promote, modle_version_id: "x" }, /Unrecognized key: "modle_version_id"/],
  [
    "several at once",
    { ...deploy, replicas: 0, cpu_limit: "lots" },
    /replicas: .*\(given 0\); cpu_limit: .*\(given "lots"\)/,
  ],
  [
    "a path in a name",
    { ...register, experiment_id: "../../etc/passwd" },
    /experiment_id: letters, digits.*\(given "\.\.\/\.\.\/etc\/passwd"\)/,
  ],
  [
    "a quote in a name",
    { ...register, mlflow_model_name: "a' or '1'='1" },
    /mlflow_model_name: letters, digits/,
  ],
  [
    "a newline in a name",
    { ...promote, model_version_id: "mv_1\n" },
    /model_version_id: letters, digits.*\(given "mv_1\\n"\)/,
  ],
  ["a run id that is none", { ...register, mlflow_run_id: "a/b" }, /mlflow_run_id: an MLflow run id/],
  [
    "a stage that is none",
    { ...promote, target_stage: "prod" },
    /target_stage: .*"production".*\(given "prod"\)/,
  ],
  [
    "a stage that is not served",
    { ...deploy, target_stage: "archived" },
    /target_stage: .*\(given "archived"\)/,
  ],
  [
    "a NaN metric",
    { ...register, test_metrics: { test_auc: Number.NaN } },
    /test_metrics\.test_auc: .*\(given NaN\)/,
  ],
  ["an infinite metric", { ...register, auc_roc: Infinity }, /auc_roc: .*\(given Infinity\)/],
  [
    "a foreign address",
    { ...register, model_artifact_uri: "file:///etc/passwd" },
    /model_artifact_uri: a runs:\/, models:\//,
  ],
  [
    "a climbing address",
    { ...register, model_artifact_uri: "runs:/abc/../../x" },
    /model_artifact_uri: an address without '\.\.'/,
  ],
  ["too many CPUs", { ...deploy, cpu_limit: "17" }, /cpu_limit: at most 16 CPUs/],
  ["no CPU", { ...deploy, cpu_limit: "0" }, /cpu_limit: more than 0 CPUs/],
  ["too much memory", { ...deploy, memory_limit: "65Gi" }, /memory_limit: at most 64Gi/],
  [
    "bounds the wrong way",
    { ...deploy, autoscaling: { min: 3, max: 2, target_cpu: 70 } },
    /autoscaling: min must not be above max/,
  ],
  [
    "an unknown rollout",
    { ...deploy, rollout: "fast" },
    /rollout: .*linear.*canary.*immediate.*\(given "fast"\)/,
  ],
  [
    "steps that fall",
    { ...deploy, rollout: { steps: [50, 20, 100].map((weight) => ({ weight, bake_seconds: 1 })) } },
    /rollout\.steps: weights must rise, and step 2 \(20\) does not \(given/,
  ],
  [
    "steps that end before everything has moved",
    { ...deploy, rollout: { steps: [{ weight: 50, bake_seconds: 1 }] } },
    /rollout\.steps: the last step must have weight 100, not 50/,
  ],
  [
    "half a character",
    { ...promote, promotion_reason: "because\ud800" },
    /promotion_reason: text without .*lone surrogates \(given "because\\ud800"\)/,
  ],
  [
    "a NUL in a feature's name",
    { ...register, top_features: ["age\u0000"] },
    /top_features\.0: text without control characters.*\(given "age\\u0000"\)/,
  ],
  [
    "a step's weight",
    { ...deploy, rollout: { steps: [{ weight: 0.5, bake_seconds: 1 }] } },
    /rollout\.steps\.0\.weight: .*\(given 0\.5\)/,
  ],
  ["no reason", { ...rollback, rollback_reason: "" }, /rollback_reason: /],
  [
    "a control character",
    { ...rollback, rollback_reason: "a\u0000b" },
    /rollback_reason: text without control characters/,
  ],
  [
    "a version that is no number",
    { ...register, mlflow_model_version: true },
    /mlflow_model_version: .*\(given true\)/,
  ],
  [
    "a version in a list",
    { ...register, mlflow_model_version: [5] },
    /mlflow_model_version: .*\(given \[ 5 \]\)/,
  ],
  [
    "a version in hexadecimal",
    { ...register, mlflow_model_version: "0x10" },
    /mlflow_model_version: .*\(given "0x10"\)/,
  ],
  ["a request id with a space", { ...register, request_id: "a b" }, /request_id: .*\(given "a b"\)/],
  ["a big integer", { ...deploy, replicas: 10n }, /replicas: .*\(given 10n\)/],
  ["an approval in the state", { ...promote, approved: true }, /Unrecognized key: "approved"/],
])("%s is refused by name, with the way out", (_what, state, message) => {
  const error = refusalOf(state);
  expect(error).toMatchObject({ code: "invalid_request", retryable: false });
  expect(error.message).toMatch(message);
  expect(error.message).not.toContain("\n");
});

test.each([
  ["3", 3],
  [3, 3],
])("a version number may come as %j", (mlflow_model_version, expected) => {
  const { action_request } = validateRequest({ ...register, mlflow_model_name: "m", mlflow_model_version });
  expect(action_request).toMatchObject({ mlflow_model_version: expected });
});
