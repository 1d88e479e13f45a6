import type { Judged } from "../../judge/counts/live_figures.ts";
import type { StageMove } from "../../planning/stage_moves.ts";
import type { Verdict } from "../../domain/evidence/judgement.ts";
import type { ModelVersion } from "../../domain/entities.ts";
import type { Change } from "../../domain/changes.ts";
import type { ReturnFacts, Reversal } from "./facts.ts";
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
    recovery(ending === "aborted" ? "abort" : "rollback", currentVersion, isWarm(reversal), context),
  ];
}

/** That one comes back where nothing served says nothing about how the model family fares. */
export function announceReturn(
  facts: ReturnFacts,
  request: RollbackRequest,
  context: DecisionContext,
  moves: StageMove[],
  verdict: Verdict | null,
): Change[] {
  const { current, server } = facts;
  const versions = moves.map(({ version }) => version.model_version_id);
  return [
    ...versions.map((id) => projectStage(context.operation_id, id)),
    rememberReturn(facts, request, context, verdict),
    ...(current === null ? [] : [recovery("rollback", current.version, server === "ready", context)]),
  ];
}

function rememberReturn(
  { ways, current, target }: ReturnFacts,
  { rollback_reason: reason, condemned_because: words }: RollbackRequest,
  context: DecisionContext,
  verdict: Verdict | null,
): Change {
  const { experiment_id, endpoint_name, weights } = ways.endpoint;
  const cutOff = ways.served.find(({ deployment }) => (weights[deployment.deployment_id] ?? 0) > 0);
  const from = (current ?? cutOff)?.deployment.bento_tag ?? "nothing";
  return remember(context.operation_id, {
    event_subtype: "rollback",
    description: `Brought ${target.deployment.bento_tag} back on ${endpoint_name}, after ${from}: ${reason}`,
    experiment_id,
    endpoint_name,
    outcome_type: "success",
    raw_content: {
      from_deployment: current?.deployment.deployment_id ?? null,
      to_deployment: target.deployment.deployment_id,
      reason,
      condemned_because: words ?? null,
      verdict,
    },
    occurred_at: context.now,
  });
}

function recovery(
  name: "abort" | "rollback",
  { model_name }: Pick<ModelVersion, "model_name">,
  isServerWarm: boolean,
  { operation_id }: DecisionContext,
): Change {
  const start = isServerWarm ? [] : ["package_model", "start_server"];
  return recordProcedure(operation_id, {
    name,
    type: "error_recovery",
    trigger: `${name}:${model_name}`,
    sequence: [...start, "want_route", "apply_route"],
    succeeded: true,
  });
}
