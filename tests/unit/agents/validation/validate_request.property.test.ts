import fc from "fast-check";
import { expect, test } from "vitest";
import {
  InvalidDeploymentActionError,
  InvalidRequestError,
} from "../../../../src/agents/model_deployer/errors.ts";
import { validateRequest } from "../../../../src/agents/model_deployer/nodes/validate_request.ts";
import { requestStateSchema } from "../../../../src/agents/model_deployer/state/state.ts";
import { build, malformedRequests } from "../../../support/requests/malformed_requests.ts";
import { validRequests } from "../../../support/requests/valid_requests.ts";

const runs = { numRuns: 3000, seed: 20_260_301 };
const fields = Object.keys(requestStateSchema.shape);

const valid = fc.constantFrom<Record<string, unknown>>(
  ...Object.entries(validRequests).map(([deployment_action, request]) => ({ deployment_action, ...request })),
);

function outcomeOf(input: unknown): unknown {
  try {
    return Reflect.apply(validateRequest, undefined, [input]);
  } catch (error) {
    return error;
  }
}

const isTyped = (outcome: unknown) =>
  outcome instanceof InvalidRequestError || outcome instanceof InvalidDeploymentActionError;

test("a request that is spoilt in any way is refused, typed, short, and with what is wrong in it", () => {
  fc.assert(
    fc.property(malformedRequests, (malformed) => {
      const { input, told } = build(malformed);
      const outcome = outcomeOf(input);
      expect(isTyped(outcome)).toBe(true);
      const message = outcome instanceof Error ? outcome.message : "";
      expect(message.length).toBeLessThan(2000);
      for (const part of told) expect(message).toContain(part);
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
