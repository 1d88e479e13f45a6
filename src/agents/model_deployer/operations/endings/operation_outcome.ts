import { type Answer, answerSchema } from "../../domain/answer.ts";
import { refusalError, restoreError } from "./stored_errors.ts";
import type { Operation, OperationStatus } from "../../ports/stores/operation_stores.ts";

/** Whether its intent is written: it continues with the plan that it began with, whatever has changed since. */
export function hasBegun(status: OperationStatus): boolean {
  return status === "planned" || status === "carrying_out";
}

/** @throws the stored refusal or failure */
export function storedOutcome(operation: Operation): Answer | null {
  switch (operation.status) {
    case "succeeded":
      return answerSchema.parse(operation.result);
    case "refused":
      if (operation.refusal === null) break;
      throw refusalError(operation.refusal, operation.operation_id);
    case "failed":
      if (operation.error === null) break;
      throw restoreError(operation.error);
    case "claimed":
    case "preparing":
    case "planned":
    case "awaiting_approval":
    case "carrying_out":
      return null;
    default:
      return operation.status satisfies never;
  }
  return null;
}
