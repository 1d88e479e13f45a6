import { AgentError } from "../../../src/agents/base/agent_error.ts";
import { restoreError } from "../../../src/agents/model_deployer/operations/endings/stored_errors.ts";
import type { CarriedError } from "./children/protocol.ts";

const UNTYPED = "untyped";

/** An error as data, so that it crosses to another process as what it is. */
export function carry(error: unknown): CarriedError {
  if (error instanceof AgentError) {
    const { code, message, details } = error;
    return { code, message, details };
  }
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { code: UNTYPED, message, details: {} };
}

export function restore(error: CarriedError): Error {
  return error.code === UNTYPED ? new TypeError(error.message) : restoreError(error);
}
