import { approval } from "../planning/ways_out/next_steps.ts";
import type { Plan } from "../domain/plan.ts";
import { ApprovalRequiredError } from "../errors.ts";
import type { Database } from "../ports/parts.ts";
import type { Approval } from "../ports/stores/approval_stores.ts";
import type { Operation } from "../ports/stores/operation_stores.ts";
import { count } from "../planning/wording/count.ts";

/** @throws ApprovalRequiredError when some are missing; the plan is kept for whoever approves it */
export async function requireApprovals(
  { database, wait_seconds }: { database: Database; wait_seconds: number },
  { operation_id, payload_hash }: Operation,
  plan: Plan,
): Promise<Approval[]> {
  if (plan.approvals_needed === 0) return [];
  const { generation } = plan;
  const valid = await database.approvals.listValid(operation_id, { payload_hash, generation });
  if (valid.length >= plan.approvals_needed) return valid;
  await database.journal.propose(operation_id, plan, { wait_seconds });
  throw new ApprovalRequiredError(
    `${plan.summary} It needs ${count(plan.approvals_needed, "approval")} by somebody else and has ${valid.length}; ` +
      `approve operation ${operation_id}, then repeat the request.`,
    {
      next: [approval(operation_id)],
      details: { operation_id, approvals_needed: plan.approvals_needed, approvals: valid.length },
    },
  );
}
