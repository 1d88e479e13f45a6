import { expect, test } from "vitest";
import { InvalidRequestError, ServiceUnavailableError } from "../../../src/agents/model_deployer/errors.ts";
import { InterruptedError, unlessInterrupted } from "../../../src/service/actions/interrupted.ts";

const ended = AbortSignal.abort();
const running = new AbortController().signal;
const away = new ServiceUnavailableError("postgres", "no answer before the deadline");

test.each([away, new DOMException("This operation was aborted", "AbortError")])(
  "what only says that a command was ended is told as that, with what it left: %s",
  (error) => {
    const told = unlessInterrupted(error, ended, "op_1");
    expect(told).toBeInstanceOf(InterruptedError);
    expect(told).toMatchObject({ cause: error, details: { operation_id: "op_1" } });
    expect(unlessInterrupted(error, running)).toBe(error);
  },
);

test.each([
  new InvalidRequestError("target_stage is missing"),
  new TypeError("x is not a function"),
  new InterruptedError("Ended before."),
])("what says more is told as it is, ended or not: %s", (error) => {
  expect(unlessInterrupted(error, ended)).toBe(error);
});
