import type { NextStep } from "../../../base/next_step.ts";
import { actionRequestSchema } from "../../domain/requests.ts";
import { again, resumption } from "../ways_out/next_steps.ts";

interface Waiting {
  operation_id: string;
  /** Generation of the endpoint for which the waiting plan was made. */
  generation: number;
  /** Null for one without an end. */
  waits_until: string | null;
  /** Whether the wait is over by the database's clock. */
  is_over: boolean;
  /** Present generation of the endpoint; null for a plan without one. */
  endpoint_generation: number | null;
}

/** Why an approval could not be used, however often the request is repeated; null where it could. */
export function whyUnusable(waiting: Waiting): string | null {
  const { operation_id, generation, waits_until, is_over, endpoint_generation: now } = waiting;
  if (is_over && waits_until !== null) return expirySentence(operation_id, waits_until);
  if (now === null || now === generation) return null;
  return (
    `Operation ${operation_id} was planned for generation ${generation} of its endpoint, which is at ${now} by now; ` +
    `repeat the request, so that it is planned for what is there, and approve that.`
  );
}

export function expirySentence(operationId: string, waitsUntil: string): string {
  return (
    `Operation ${operationId} has waited for an approval until ${waitsUntil} and has expired; ` +
    `ask for it again if it is still wanted, with a new request_id where it had one.`
  );
}

/** Ways out where an operation takes no approval: an end for one that has begun, or else the same request anew. */
export function waysOfUnusable(operation: {
  operation_id: string;
  status: string;
  request: unknown;
}): NextStep[] {
  const { operation_id, status, request } = operation;
  if (status === "succeeded") return [];
  if (!["awaiting_approval", "refused", "failed"].includes(status)) return [resumption(operation_id)];
  const asked = actionRequestSchema.safeParse(request);
  return asked.success ? again(asked.data, "asks for it again, for what is there by now") : [];
}
