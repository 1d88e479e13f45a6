import type { Judged } from "../../judge/counts/live_figures.ts";
import type { ReturnFacts } from "./facts.ts";
import type { StageMove } from "../../planning/stage_moves.ts";
import type { Verdict } from "../../domain/evidence/judgement.ts";
import type { Change } from "../../domain/changes.ts";
import type { Reversal } from "./facts.ts";
import { projectStage, recordProcedure, remember } from "../../planning/announcements/outbox_entries.ts";
import type { DecisionContext, RollbackRequest } from "../../domain/requests.ts";
import type { Ending } from "./ended_rollout.ts";
import { isWarm } from "../../planning/ways_out/way_back.ts";

/** An aborted rollout does not count as experience of the model family; a rollback does. */
export function announceRollback(
  reversal: Reversal,
  reason: string,
  context: DecisionContext,
  judged: Judged | null,
  ending: Ending,
): Change[] {
  const { current, previous, currentVersion, previousVersion } = reversal;
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
      sequence: isWarm(reversal)
        ? ["want_route", "apply_route"]
        : ["package_model", "start_server", "want_route", "apply_route"],
      succeeded: true,
    }),
  ];
}

/** That one comes back where nothing served says nothing about how the model family fares. */
export function announceReturn(
  { ways, current, target, server }: ReturnFacts,
  request: RollbackRequest,
  context: DecisionContext,
  moves: StageMove[],
  verdict: Verdict | null,
): Change[] {
  const { endpoint } = ways;
  const { operation_id } = context;
  const { rollback_reason: reason, condemned_because = null } = request;
  const cutOff = ways.served.find(({ deployment }) => (endpoint.weights[deployment.deployment_id] ?? 0) > 0);
  const from = (current ?? cutOff)?.deployment.bento_tag ?? "nothing";
  const versions = moves.map(({ version }) => version.model_version_id);
  const sequence = ["want_route", "apply_route"];
  return [
    ...versions.map((id) => projectStage(operation_id, id)),
    remember(operation_id, {
      event_subtype: "rollback",
      description: `Brought ${target.deployment.bento_tag} back on ${endpoint.endpoint_name}, after ${from}: ${reason}`,
      experiment_id: endpoint.experiment_id,
      endpoint_name: endpoint.endpoint_name,
      outcome_type: "success",
      raw_content: {
        from_deployment: current?.deployment.deployment_id ?? null,
        to_deployment: target.deployment.deployment_id,
        reason,
        condemned_because,
        verdict,
      },
      occurred_at: context.now,
    }),
    ...(current === null
      ? []
      : [
          recordProcedure(operation_id, {
            name: "rollback",
            type: "error_recovery",
            trigger: `rollback:${current.version.model_name}`,
            sequence: server === "ready" ? sequence : ["package_model", "start_server", ...sequence],
            succeeded: true,
          }),
        ]),
  ];
}
