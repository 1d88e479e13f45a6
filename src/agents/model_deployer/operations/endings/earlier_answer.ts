import { isKnown } from "../required_rights.ts";
import type { Answer } from "../../domain/answer.ts";
import type { Plan } from "../../domain/plan.ts";
import { actionRequestSchema } from "../../domain/requests.ts";
import type { RunOptions } from "../run_options.ts";
import type { Database } from "../../ports/parts.ts";
import type { Operation } from "../../ports/stores/operation_stores.ts";

/**
 * The answer of a new plan that finds nothing to do, because another operation has done meanwhile what was requested,
 * as when one run is registered twice at once. Null otherwise, and where the lost plan leaves effects that have to be
 * undone.
 */
export async function answerOfAnotherOperation(
  operation: Operation,
  lost: Plan,
  database: Pick<Database, "clock">,
  options: RunOptions,
): Promise<Answer | null> {
  if (lost.steps.some(({ undo }) => undo.length > 0)) return null;
  const request = actionRequestSchema.parse(operation.request);
  const { operation_id, requested_by } = operation;
  const is_known = isKnown(operation);
  const now = await database.clock.now();
  const decision = await options.planner(request, { operation_id, requested_by, is_known, now }, options);
  if (decision.decision === "refusal") return null;
  const { intent, steps, on_success, draft } = decision.plan;
  return intent.length + steps.length + on_success.length === 0 ? draft : null;
}
