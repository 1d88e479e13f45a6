import { ConflictError, InvalidApprovalError } from "../agents/model_deployer/errors.ts";
import type { Database } from "../agents/model_deployer/ports/parts.ts";
import { expireOperation } from "../agents/model_deployer/operations/endings/refused_operation.ts";
import type { Resumption } from "../agents/model_deployer/operations/resume_operation.ts";

/** Ends operations that nobody approved in time, and returns a sentence for each that this call ended. */
export async function expireOperations(database: Database, limit: number): Promise<Resumption[]> {
  const expired: Resumption[] = [];
  for (const operation of await database.operations.listExpired(limit)) {
    const { operation_id, action } = operation;
    try {
      await expireOperation(database, operation, await database.clock.now());
    } catch (error) {
      if (error instanceof InvalidApprovalError) {
        expired.push({ operation_id, action, outcome: "refused", reason: error.message });
      } else if (!(error instanceof ConflictError)) throw error;
    }
  }
  return expired;
}
