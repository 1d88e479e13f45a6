import type { ChangeOf } from "../../../../agents/model_deployer/domain/changes.ts";
import { InvalidApprovalError } from "../../../../agents/model_deployer/errors.ts";
import type { ApprovalRow } from "../tables.ts";
import type { ChangeContext } from "./context.ts";

export function spendApproval({ approval_id: id }: ChangeOf<"spend_approval">, context: ChangeContext): void {
  const { approvals, clock } = context.tables;
  const approval = approvals.get(id);
  const reason = approval === null ? "does not exist" : refuse(approval, context);
  if (approval === null || reason !== null) {
    throw new InvalidApprovalError(`Approval ${id} ${reason}; ask for a new one`, {
      details: { approval_id: id, found: approval },
    });
  }
  approvals.put({ ...approval, used_at: clock.now() });
}

function refuse(approval: ApprovalRow, context: ChangeContext): string | null {
  if (approval.used_at !== null) return `was used at ${approval.used_at}`;
  if (approval.revoked !== null) return `was revoked at ${approval.revoked.at}`;
  if (context.tables.clock.hasPassed(approval.expires_at)) return `expired at ${approval.expires_at}`;
  if (approval.operation_id !== context.operation_id) return `is for operation ${approval.operation_id}`;
  if (approval.payload_hash !== context.payload_hash) return "is for another request";
  if (approval.generation !== context.generation) {
    return `is for generation ${approval.generation}, and the plan is for ${context.generation ?? "none"}`;
  }
  return null;
}
