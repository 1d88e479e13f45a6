import { expect, test } from "vitest";
import * as errors from "../../../src/agents/model_deployer/errors.ts";
import { restoreError } from "../../../src/agents/model_deployer/operations/endings/stored_errors.ts";

type Make = new (...values: never[]) => errors.ModelDeployerError;

const isErrorClass = (value: unknown): value is Make =>
  typeof value === "function" &&
  value.prototype instanceof errors.ModelDeployerError &&
  value !== errors.ModelDeployerError;

const unmet = [{ criterion: "auc", required: "0.8", observed: "0.7", sentence: "too low" }];
const particulars: Record<string, unknown[]> = {
  ProductionCriteriaNotMetError: ["not met", unmet],
  ServiceUnavailableError: ["mlflow", "does not answer"],
  ServiceRefusedError: ["mlflow", "says no"],
};

const classes = Object.entries(errors).filter(([, value]) => isErrorClass(value));

test("there are errors to try", () => {
  expect(classes.length).toBeGreaterThan(15);
});

test.each(classes)("%s comes back from the database as it was raised", (name, value) => {
  const raised: unknown = Reflect.construct(value, [
    ...(particulars[name] ?? ["a sentence"]),
    { details: { operation_id: "op_1" } },
  ]);
  if (!(raised instanceof errors.ModelDeployerError)) return expect.fail(`${name} is no error`);
  const { code, message, details } = raised;
  const restored = restoreError(structuredClone({ code, message, details }));
  expect(restored.constructor.name).toBe(name);
  // The end of a request is the same however often it is repeated, and a conflict is one once it is stored.
  if (name === "ConflictError") expect({ ...restored, retryable: true }).toEqual({ ...raised });
  else expect(restored).toEqual(raised);
});

test("a code that this version does not know is raised as a refusal, with its sentence", () => {
  const restored = restoreError({ code: "from_the_future", message: "a sentence", details: {} });
  expect(restored).toMatchObject({ code: "service_refused", message: "a sentence" });
});
