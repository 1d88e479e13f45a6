import { isGraphBubbleUp } from "@langchain/langgraph";
import { z } from "zod";
import { approval } from "../planning/ways_out/next_steps.ts";
import { approvalNotice } from "../planning/announcements/new_notices.ts";
import type { Plan } from "../domain/plan.ts";
import { ApprovalRequiredError } from "../errors.ts";
import type { Database } from "../ports/parts.ts";
import type { ApprovalQuestion } from "../state/state.ts";
import type { Operation } from "../ports/stores/operation_stores.ts";
import { viewOf } from "./plan_view.ts";
import { type NodeRuntime, tell } from "./runtime.ts";
import { count } from "../planning/wording/count.ts";

const answerSchema = z.object({ approval_id: z.string() });

/** How many approvals the plan still waits for. */
export async function approvalsMissing(
  database: Database,
  operation: Operation,
  plan: Plan,
): Promise<number> {
  if (plan.approvals_needed === 0) return 0;
  return Math.max(0, plan.approvals_needed - (await validApprovals(database, operation, plan)).length);
}

async function validApprovals(
  { approvals }: Database,
  { operation_id, payload_hash }: Operation,
  { generation }: Plan,
): Promise<string[]> {
  const valid = await approvals.listValid(operation_id, { payload_hash, generation });
  return valid.map((approval) => approval.approval_id);
}

/**
 * Interrupts the run with the question, until it is resumed with an approval of this operation that stands in the
 * database and completes the required number. Anything else leaves it interrupted, with the reason.
 * @throws ApprovalRequiredError where the graph has no checkpointer to wait with
 */
export async function awaitApproval(
  { database, wait_seconds }: { database: Database; wait_seconds: number },
  operation: Operation,
  plan: Plan,
  runtime: NodeRuntime,
): Promise<void> {
  const { operation_id, requested_by } = operation;
  let given = await validApprovals(database, operation, plan);
  let refused: string | null = null;
  for (;;) {
    const notice = approvalNotice(plan, { operation_id, requested_by });
    await database.journal.propose(operation_id, plan, { wait_seconds, changes: [notice] });
    tell(runtime, { event: "awaiting_approval", operation_id, step: null, message: plan.summary });
    const answer = ask(questionOf(operation, plan, given.length, refused), runtime);
    given = await validApprovals(database, operation, plan);
    refused = refusalOf(answer, given);
    if (refused === null && given.length >= plan.approvals_needed) return;
  }
}

function questionOf(
  { operation_id }: Operation,
  plan: Plan,
  approvals_given: number,
  refused: string | null,
): ApprovalQuestion {
  const { summary, generation, approvals_needed, notes, evidence } = plan;
  return {
    kind: "approval_required",
    operation_id,
    summary,
    generation,
    approvals_needed,
    approvals_given,
    notes,
    plan: viewOf(plan),
    evidence,
    resume_with: { approval_id: "the id of an approval of this operation" },
    refused,
  };
}

function ask(question: ApprovalQuestion, runtime: NodeRuntime): unknown {
  const { operation_id, summary, approvals_needed, approvals_given } = question;
  try {
    return runtime.interrupt?.(question);
  } catch (error) {
    if (isGraphBubbleUp(error)) throw error;
    const missing = approvals_needed - approvals_given;
    const message = `${summary} It waits for ${count(missing, "approval")} by somebody other than its requester; approve operation ${operation_id}.`;
    const details = { operation_id, approvals_needed };
    throw new ApprovalRequiredError(message, { cause: error, details, next: [approval(operation_id)] });
  }
}

function refusalOf(answer: unknown, valid: string[]): string | null {
  const parsed = answerSchema.safeParse(answer);
  if (!parsed.success) return "The run goes on with { approval_id } only; nothing else approves.";
  const { approval_id: id } = parsed.data;
  return valid.includes(id)
    ? null
    : `${id} is no valid approval of this operation: it may be expired, used, bound to another state, or made by the requester.`;
}
