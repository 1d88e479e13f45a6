import type { Judged } from "./canary_judge.ts";
import type { Change } from "./changes.ts";
import type { Turn } from "./decide_rollback.ts";
import { projectStage, recordProcedure, remember } from "./outbox_entries.ts";
import type { DecisionContext } from "./requests.ts";
import type { Ending } from "./rollback_of_rollout.ts";

/** A person who stops a rollout says nothing about how the model family fares; a rollback does. */
export function announceRollback(
  turn: Turn,
  reason: string,
  context: DecisionContext,
  judged: Judged | null,
  ending: Ending,
): Change[] {
  const { current, previous, currentVersion, previousVersion } = turn;
  const done = ending === "aborted" ? "Aborted the rollout and took" : "Rolled";
  return [
    projectStage(context.operation_id, currentVersion.model_version_id),
    projectStage(context.operation_id, previousVersion.model_version_id),
    remember(context.operation_id, {
      event_subtype: ending === "aborted" ? "rollout_control" : "rollback",
      description: `${done} ${current.endpoint_name} back from ${current.bento_tag} to ${previous.bento_tag}: ${reason}`,
      experiment_id: current.experiment_id,
      endpoint_name: current.endpoint_name,
      outcome_type: "success",
      raw_content: {
        from_deployment: current.deployment_id,
        to_deployment: previous.deployment_id,
        reason,
        verdict: judged?.verdict ?? null,
      },
      occurred_at: context.now,
    }),
    recordProcedure(context.operation_id, {
      name: ending === "aborted" ? "abort" : "rollback",
      type: "error_recovery",
      trigger: `${ending === "aborted" ? "abort" : "rollback"}:${currentVersion.model_name}`,
      sequence: turn.warm
        ? ["want_route", "apply_route"]
        : ["package_model", "start_server", "want_route", "apply_route"],
      succeeded: true,
    }),
  ];
}
