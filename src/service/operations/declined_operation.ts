import { InvalidApprovalError, NotFoundError } from "../../agents/model_deployer/errors.ts";
import { waysOfUnusable } from "../../agents/model_deployer/planning/approval/usable_approval.ts";
import { refuseOperation } from "../../agents/model_deployer/operations/endings/refused_operation.ts";
import type { DeployerDatabase } from "../../database/index.ts";

/**
 * Ends an operation that waits for approvals as refused, with who declined it and why; it is remembered as any refusal.
 * @throws NotFoundError | InvalidApprovalError where it waits for none | ConflictError where somebody was first
 */
export async function declineOperation(
  database: DeployerDatabase,
  { operation_id, principal, reason }: { operation_id: string; principal: string; reason: string },
): Promise<void> {
  const operation = await database.operations.get(operation_id);
  if (operation === null) throw new NotFoundError(`Operation ${operation_id} does not exist.`);
  if (operation.status !== "awaiting_approval") {
    throw new InvalidApprovalError(
      `Operation ${operation_id} waits for no approval, so there is nothing to decline: it is ${operation.status}.`,
      { next: waysOfUnusable(operation) },
    );
  }
  const sentence = `${principal} declined it: ${reason}`;
  const refusal = {
    ...{ code: "invalid_approval" as const, sentence, passes: false },
    ...{ unmet: [], next: [], not_before: null },
  };
  try {
    await refuseOperation(database, operation, refusal, await database.clock.now());
  } catch (error) {
    if (!(error instanceof InvalidApprovalError && error.message.includes(sentence))) throw error;
  }
}
