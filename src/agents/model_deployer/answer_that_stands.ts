import type { Answer } from "./domain/answer.ts";
import type { Plan } from "./domain/plan.ts";
import { actionRequestSchema } from "./domain/requests.ts";
import type { RunOptions } from "./operation_runner.ts";
import type { Database } from "./parts.ts";
import type { Operation } from "./store_ports.ts";

/**
 * Somebody else may have done meanwhile what was asked for, as when one run is registered twice at once: then a plan
 * made afresh has nothing to do, and its answer is the answer. Null otherwise, and where the lost plan leaves effects
 * that have to be undone.
 */
export async function answerThatStands(
  operation: Operation,
  lost: Plan,
  database: Pick<Database, "clock">,
  options: RunOptions,
): Promise<Answer | null> {
  if (lost.steps.some(({ undo }) => undo.length > 0)) return null;
  const request = actionRequestSchema.parse(operation.request);
  const { operation_id, requested_by } = operation;
  const now = await database.clock.now();
  const decision = await options.planner(request, { operation_id, requested_by, now }, options);
  if (decision.decision === "refusal") return null;
  const { intent, steps, on_success, draft } = decision.plan;
  return intent.length + steps.length + on_success.length === 0 ? draft : null;
}
