import type { AgentError } from "../../../base/agent_error.ts";
import { remember } from "../../planning/announcements/outbox_entries.ts";
import { failureNotice } from "../../planning/announcements/new_notices.ts";
import type { Plan } from "../../domain/plan.ts";
import { actionRequestSchema } from "../../domain/requests.ts";
import { subjectOf } from "../operation_subject.ts";
import type { Lease, Operation } from "../../ports/stores/operation_stores.ts";
import { undoSteps } from "../steps/undo_steps.ts";

/**
 * Undoes the recorded steps, names those that could not be undone, and records the failure.
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
  const error = {
    code,
    message,
    details: { ...failure.details, undo_failures: undoFailures, ...nextOf(failure) },
  };
  const notice = failureNotice(plan, failure, { operation_id, requested_by: operation.requested_by });
  const episode = remember(operation_id, {
    event_subtype: "failure",
    description: `${plan.summary} Failed: ${message}`,
    ...(await subjectOf(actionRequestSchema.parse(operation.request), database)),
    outcome_type: "failure",
    raw_content: { action, code },
    occurred_at: await database.clock.now(),
  });
  const changes = [...plan.on_failure, episode, notice];
  await database.journal.finish(operation_id, { status: "failed", error }, changes, lease);
}

const nextOf = ({ next }: AgentError) => (next.length === 0 ? {} : { next: [...next] });
