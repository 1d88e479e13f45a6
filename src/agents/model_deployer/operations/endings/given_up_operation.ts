import type { AgentError } from "../../../base/agent_error.ts";
import type { Change } from "../../domain/changes.ts";
import { ConflictError } from "../../errors.ts";
import { remember } from "../../planning/announcements/outbox_entries.ts";
import { failureNotice } from "../../planning/announcements/new_notices.ts";
import type { Plan } from "../../domain/plan.ts";
import { actionRequestSchema } from "../../domain/requests.ts";
import { subjectOf } from "../operation_subject.ts";
import type { Lease, Operation } from "../../ports/stores/operation_stores.ts";
import { undoSteps } from "../steps/undo_steps.ts";

/**
 * Undoes the recorded steps, names those that could not be undone, and records the failure, which nothing that others
 * have moved meanwhile keeps from its end.
 * @throws ConflictError when the lease is lost: the operation then belongs to whoever resumes it
 */
export async function giveUpOperation(
  parts: Parameters<typeof undoSteps>[0],
  operation: Operation,
  plan: Plan,
  lease: Lease,
  failure: AgentError,
): Promise<void> {
  const { database } = parts;
  const { operation_id, action } = operation;
  const undoFailures = await undoSteps(parts, operation_id, plan, lease, failure);
  const { code, message } = failure;
  const errorWith = (undo_failures: string[]) => ({
    code,
    message,
    details: { ...failure.details, undo_failures, ...nextOf(failure) },
  });
  const notice = failureNotice(plan, failure, { operation_id, requested_by: operation.requested_by });
  const episode = remember(operation_id, {
    event_subtype: "failure",
    description: `${plan.summary} Failed: ${message}`,
    ...(await subjectOf(actionRequestSchema.parse(operation.request), database)),
    outcome_type: "failure",
    raw_content: { action, code },
    occurred_at: await database.clock.now(),
  });
  const finish = (undone: string[], setBack: Change[]) => {
    const outcome = { status: "failed" as const, error: errorWith(undone) };
    return database.journal.finish(operation_id, outcome, [...setBack, episode, notice], lease);
  };
  try {
    await finish(undoFailures, plan.on_failure);
  } catch (error) {
    if (!(error instanceof ConflictError) || plan.on_failure.length === 0) throw error;
    // Whoever overtook it has moved what it would set back; with the lease lost, this is refused as well.
    await finish([...undoFailures, error.message], []);
  }
}

const nextOf = ({ next }: AgentError) => (next.length === 0 ? {} : { next: [...next] });
