import fc from "fast-check";
import { expect, test } from "vitest";
import {
  InvalidDeploymentActionError,
  InvalidRequestError,
} from "../../../src/agents/model_deployer/errors.ts";
import { validateRequest } from "../../../src/agents/model_deployer/nodes/validate_request.ts";
import { requestStateSchema } from "../../../src/agents/model_deployer/state.ts";

const runs = { numRuns: 3000, seed: 20_260_301 };
const fields = Object.keys(requestStateSchema.shape);

const valid = fc.constantFrom<Record<string, unknown>>(
  { deployment_action: "register", experiment_id: "remission", mlflow_run_id: "abc123" },
  { deployment_action: "promote", model_version_id: "mv_1", target_stage: "staging" },
  { deployment_action: "deploy", model_version_id: "mv_1", target_stage: "production" },
  { deployment_action: "rollback", current_deployment_id: "d1", rollback_reason: "bad" },
);

/** No field of a request takes any of these. */
const unusable = fc.oneof(
  fc.constantFrom<unknown>(
    Number.NaN,
    Infinity,
    -1,
    0.5,
    10n,
    Symbol("s"),
    () => 1,
    new Date(),
    new Map(),
    /x/,
  ),
  fc.constantFrom(
    "",
    "../x",
    "a/../b",
    "a\nb",
    "a\u0000b",
    "'; drop table ml_operations; --",
    '"',
    "a b/",
    "💥",
    "\u202e",
  ),
  fc.bigInt(),
  fc.uint8Array({ minLength: 1 }),
);

/** What each action reads; the free texts are left out, for they take almost anything. Other actions' fields may lie around. */
const shared = ["deployment_action", "request_id", "session_id", "query_id"];
const read: Record<string, string[]> = {
  register: [
    "experiment_id",
    "mlflow_run_id",
    "mlflow_model_name",
    "mlflow_model_version",
    "model_artifact_uri",
  ],
  promote: ["model_version_id", "target_stage", "current_stage"],
  deploy: [
    "model_version_id",
    "target_stage",
    "replicas",
    "cpu_limit",
    "memory_limit",
    "autoscaling",
    "rollout",
  ],
  rollback: ["current_deployment_id"],
};
const fieldOf = (state: Record<string, unknown>) =>
  fc.constantFrom(...shared, ...(read[String(state["deployment_action"])] ?? []));

function outcomeOf(state: Record<string, unknown>): unknown {
  try {
    return validateRequest(state);
  } catch (error) {
    return error;
  }
}

const isTyped = (outcome: unknown) =>
  outcome instanceof InvalidRequestError || outcome instanceof InvalidDeploymentActionError;

test("a valid request with one field that no request takes is refused, typed and short", () => {
  const malformed = valid.chain((state) => fc.tuple(fc.constant(state), fieldOf(state), unusable));
  fc.assert(
    fc.property(malformed, ([state, field, value]) => {
      const outcome = outcomeOf({ ...state, [field]: value });
      expect(isTyped(outcome)).toBe(true);
      expect(outcome instanceof Error ? outcome.message.length : 0).toBeLessThan(2000);
    }),
    runs,
  );
});

test("a valid request with one unknown field is refused by that field's name", () => {
  const unknownField = fc.stringMatching(/^[a-z_]{3,20}$/).filter((name) => !fields.includes(name));
  fc.assert(
    fc.property(valid, unknownField, fc.anything(), (state, field, value) => {
      const outcome = outcomeOf({ ...state, [field]: value });
      expect(outcome).toBeInstanceOf(InvalidRequestError);
    }),
    runs,
  );
});

test("whatever is handed over is either a whole request or a typed error, and never changes a prototype", () => {
  const anything = fc.dictionary(
    fc.oneof(fc.constantFrom(...fields), fc.string()),
    fc.anything({
      withBigInt: true,
      withDate: true,
      withMap: true,
      withNullPrototype: true,
      withTypedArray: true,
    }),
  );
  fc.assert(
    fc.property(anything, valid, fc.boolean(), (noise, state, isOver) => {
      const outcome = outcomeOf(isOver ? { ...state, ...noise } : noise);
      const isWhole = typeof outcome === "object" && outcome !== null && "action_request" in outcome;
      expect(isWhole || isTyped(outcome)).toBe(true);
      expect(Object.keys(Object.prototype)).toEqual([]);
    }),
    runs,
  );
});

test("getters and proxies that raise end in a typed error too", () => {
  const hostile = {
    deployment_action: "register",
    get experiment_id(): string {
      throw new TypeError("no");
    },
  };
  expect(isTyped(outcomeOf(hostile))).toBe(true);
  const shape = { toJSON: () => expect.fail("it was asked for its JSON") };
  expect(isTyped(outcomeOf({ deployment_action: shape }))).toBe(true);
});
