import { remember } from "../../planning/announcements/outbox_entries.ts";
import type { Plan, Refusal } from "../../domain/plan.ts";
import { actionRequestSchema } from "../../domain/requests.ts";
import { subjectOf } from "../operation_subject.ts";
import type { Database } from "../../ports/parts.ts";
import type { Operation } from "../../ports/stores/operation_stores.ts";
import { refusalError } from "./stored_errors.ts";
import { again } from "../../planning/ways_out/next_steps.ts";
import { expirySentence } from "../../planning/approval/usable_approval.ts";

/**
 * Records a refusal and raises it; a conflict is only raised, since its cause may pass, and so is whatever time alone may
 * lift where the caller's own key would keep the refusal for good.
 * @param now the database's clock
 * @throws ModelDeployerError always, the error of the refusal
 */
export async function refuseOperation(
  database: Database,
  operation: Operation,
  refusal: Refusal,
  now: string,
): Promise<never> {
  const { operation_id } = operation;
  const mayPass = refusal.passes && isKeyed(operation);
  if (refusal.code === "conflict" || mayPass) throw refusalError(refusal, operation_id);
  const request = actionRequestSchema.parse(operation.request);
  const episode = remember(operation_id, {
    event_subtype: "refusal",
    description: refusal.sentence,
    ...(await subjectOf(request, database)),
    outcome_type: "failure",
    raw_content: { action: operation.action, code: refusal.code, request: JSON.stringify(request) },
    occurred_at: now,
  });
  await database.journal.finish(operation_id, { status: "refused", refusal }, [episode], null);
  throw refusalError(refusal, operation_id);
}

/** Whether its caller named it: then a stored outcome is every later answer to it. */
export const isKeyed = ({ action_key }: Operation): boolean => action_key.startsWith("req:");

/** Refuses an operation that has waited for approvals for too long. @throws InvalidApprovalError always */
export async function expireOperation(database: Database, operation: Operation, now: string): Promise<never> {
  const sentence = expirySentence(operation.operation_id, operation.waits_until ?? now);
  const next = again(actionRequestSchema.parse(operation.request), "asks for it again, as it is now");
  const refusal = {
    ...{ code: "invalid_approval" as const, sentence, passes: false },
    ...{ unmet: [], next, not_before: null },
  };
  return refuseOperation(database, operation, refusal, now);
}

/** An operation that was approved in time is carried out, however late. @throws InvalidApprovalError when it was not */
export async function requireInTime(
  database: Database,
  operation: Operation,
  { approvals_needed, generation }: Plan,
  now: string,
): Promise<void> {
  const { operation_id, payload_hash, waits_until } = operation;
  const isOver = waits_until !== null && Date.parse(waits_until) <= Date.parse(now);
  if (approvals_needed === 0 || !isOver) return;
  const valid = await database.approvals.listValid(operation_id, { payload_hash, generation });
  if (valid.length < approvals_needed) await expireOperation(database, operation, now);
}
