import { isGraphBubbleUp } from "@langchain/langgraph";
import { z } from "zod";
import type { Plan } from "../domain/plan.ts";
import { ApprovalRequiredError } from "../errors.ts";
import type { Database } from "../parts.ts";
import type { ApprovalQuestion } from "../state.ts";
import type { Operation } from "../store_ports.ts";
import { type NodeRuntime, tell } from "./runtime.ts";

export interface PendingApproval {
  database: Database;
  operation: Pick<Operation, "operation_id" | "payload_hash">;
  plan: Plan;
}

const answerSchema = z.object({ approval_id: z.string() });

/**
 * Waits until enough approvals stand in the database. The run is interrupted with what is to be decided; whatever it
 * is resumed with only says that it is worth looking again.
 * @throws ApprovalRequiredError where the graph has no checkpointer to wait with
 */
export async function awaitApproval(question: PendingApproval, runtime: NodeRuntime): Promise<void> {
  const { database, plan } = question;
  const { operation_id, payload_hash } = question.operation;
  let refused: string | null = null;
  for (;;) {
    const bound = { payload_hash, generation: plan.generation };
    const valid = await database.approvals.listValid(operation_id, bound);
    if (valid.length >= plan.approvals_needed) return;
    await database.journal.propose(operation_id, plan);
    tell(runtime, { event: "awaiting_approval", operation_id, step: null, message: plan.summary });
    const answer = ask(question, valid.length, refused, runtime);
    refused = refusalOf(
      answer,
      valid.map((approval) => approval.approval_id),
    );
  }
}

function ask(
  { operation: { operation_id }, plan }: PendingApproval,
  given: number,
  refused: string | null,
  runtime: NodeRuntime,
): unknown {
  const missing = plan.approvals_needed - given;
  const message = `${plan.summary} It waits for ${missing} approval by somebody other than its requester; approve operation ${operation_id}.`;
  const asked: ApprovalQuestion = {
    kind: "approval_required",
    operation_id,
    summary: plan.summary,
    generation: plan.generation,
    approvals_needed: plan.approvals_needed,
    approvals_given: given,
    notes: plan.notes,
    resume_with: { approval_id: "the id of an approval of this operation" },
    refused,
  };
  try {
    return runtime.interrupt?.(asked);
  } catch (error) {
    if (isGraphBubbleUp(error)) throw error;
    throw new ApprovalRequiredError(message, {
      cause: error,
      details: { operation_id, approvals_needed: plan.approvals_needed },
    });
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
