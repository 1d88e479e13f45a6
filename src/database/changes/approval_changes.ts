import { z } from "zod";
import type { ChangeOf } from "../../agents/model_deployer/domain/changes.ts";
import { InvalidApprovalError } from "../../agents/model_deployer/errors.ts";
import { anyRow, type Queries } from "../connection/transaction.ts";
import type { ChangeContext } from "./context.ts";

const approvalRow = z.strictObject({
  operation_id: z.string(),
  payload_hash: z.string(),
  generation: z.int(),
  expires_at: z.string(),
  used_at: z.string().nullable(),
  revoked_at: z.string().nullable(),
  expired: z.boolean(),
});
type ApprovalRow = z.infer<typeof approvalRow>;

/** Uses the approval up, under a lock of its row, so that two operations never spend the same one. */
export async function spendApproval(
  tx: Queries,
  { approval_id: id }: ChangeOf<"spend_approval">,
  context: ChangeContext,
): Promise<void> {
  const [approval] = await tx.query(
    approvalRow,
    `select operation_id, payload_hash, generation, expires_at, used_at, revoked_at, expires_at <= clock_timestamp() as expired
     from ml_approvals where approval_id = $1 for update`,
    [id],
  );
  const reason = approval === undefined ? "does not exist" : refuse(approval, context);
  if (reason !== null) {
    throw new InvalidApprovalError(`Approval ${id} ${reason}; ask for a new one`, {
      details: { approval_id: id, found: approval ?? null, needed_for: context },
    });
  }
  await tx.query(anyRow, "update ml_approvals set used_at = clock_timestamp() where approval_id = $1", [id]);
}

function refuse(approval: ApprovalRow, context: ChangeContext): string | null {
  if (approval.used_at !== null) return `was used at ${approval.used_at}`;
  if (approval.revoked_at !== null) return `was revoked at ${approval.revoked_at}`;
  if (approval.expired) return `expired at ${approval.expires_at}`;
  if (approval.operation_id !== context.operation_id) return `is for operation ${approval.operation_id}`;
  if (approval.payload_hash !== context.payload_hash) return "is for another request";
  if (approval.generation !== context.generation) {
    return `is for generation ${approval.generation}, and the plan is for ${context.generation ?? "none"}`;
  }
  return null;
}
