import { type Answer, type DeploymentManifest, emptyAnswer } from "../../domain/answer.ts";
import {
  type Judged,
  judgedNow,
  missingNotes,
  type Moment,
  momentOf,
} from "../../judge/counts/live_figures.ts";
import { missing, propose, refuse, refuseForNow } from "../../planning/decisions.ts";
import { ask, listing } from "../../planning/ways_out/next_steps.ts";
import type { Deployment, Endpoint } from "../../domain/entities.ts";
import { manifestOf } from "../../planning/manifest.ts";
import type { Decision, PlannedStep } from "../../domain/plan.ts";
import { namesOf } from "../../planning/wording/plan_names.ts";
import type { DecisionContext } from "../../domain/requests.ts";
import { announceRollback } from "./announcements.ts";
import {
  endRollout,
  type Ending,
  KEEP_BAD_SECONDS,
  resumeAfterFailedRollback,
  suspendRollout,
} from "./ended_rollout.ts";
import type { Verdict } from "../../domain/evidence/judgement.ts";
import { setStatus, switchRoute } from "../../planning/route_switch.ts";
import { setStage, type StageMove } from "../../planning/stage_moves.ts";
import {
  engineChangeNotes,
  isWarm,
  keepServer,
  releaseServer,
  serveAgain,
  serverNotes,
} from "../../planning/ways_out/way_back.ts";
import { allTo, isBegun, isRollbackUnfinished } from "../../domain/traffic/weights.ts";
import type { RollbackFacts, Reversal } from "./facts.ts";

export function decideRollback(
  request: { current_deployment_id: string; rollback_reason: string },
  facts: RollbackFacts,
  context: DecisionContext,
): Decision {
  const { current, endpoint, previous, current_version: currentVersion, open_rollout: open } = facts;
  if (current === null)
    return missing("Deployment", request.current_deployment_id, "see the history for what serves now", [
      listing.endpoints,
    ]);
  const rollout = open?.deployment_id === current.deployment_id ? open : facts.completed_rollout;
  const obstacle = obstacleTo(facts, current, request.rollback_reason);
  if (obstacle !== null) return obstacle;
  const previousVersion = facts.previous_version;
  if (previous === null || previousVersion === null || currentVersion === null || endpoint === null) {
    return refuse(
      "rollback_failed",
      `No previous production deployment found for ${current.deployment_id}: nothing else has served ${current.endpoint_name} that was not rolled back.`,
    );
  }
  const { previous_server: server, live } = facts;
  const reversal: Reversal = {
    current,
    currentVersion,
    endpoint,
    previous,
    previousVersion,
    rollout,
    server,
    live,
  };
  return planRollback(reversal, request.rollback_reason, context, judgedNow(rollout, endpoint, live));
}

/** A deployment that was cut off after its first traffic has no rollout yet, and is rolled back all the same. */
function obstacleTo(
  { open_rollout: open, endpoint, previous }: RollbackFacts,
  current: Deployment,
  rollback_reason: string,
): Decision | null {
  const id = current.deployment_id;
  const isCandidate = open?.deployment_id === id || isBegun(current, endpoint?.weights ?? {});
  if (current.target_stage !== "production") {
    const remove = { deployment_action: "remove", deployment_id: id, removal_reason: rollback_reason };
    const sentence = `${id} serves ${current.target_stage}; only a production deployment can be rolled back.`;
    return refuse("rollback_failed", sentence, { next: [ask(remove, `takes the server of ${id} away`)] });
  }
  if (current.status !== "active" && !isCandidate) {
    if (isRollbackUnfinished(current, endpoint?.weights ?? {}))
      return previous === null ? null : refuseUnfinishedReturn(current, rollback_reason);
    return refuse(
      "rollback_failed",
      `${id} is ${current.status} and serves nothing that could be taken back.`,
    );
  }
  if (open?.baseline_deployment_id === id) {
    const first = {
      deployment_action: "rollback",
      current_deployment_id: open.deployment_id,
      rollback_reason,
    };
    const sentence = `${id} is the baseline of ${open.rollout_id}; roll ${open.deployment_id} back first, then ${id}, or name what is to come back.`;
    return refuse("rollback_failed", sentence, {
      next: [ask(first, `takes ${open.deployment_id} back, and ends its rollout`)],
    });
  }
  return null;
}

/** It has its traffic back already; only the end of the rollback that returned it is not recorded yet. */
function refuseUnfinishedReturn(
  { deployment_id: id, endpoint_name }: Deployment,
  rollback_reason: string,
): Decision {
  const end = { deployment_action: "rollback", endpoint_name, rollback_reason };
  const sentence = `${id} is being brought back at this moment, by a rollback that has not ended; once it has, ${id} can be rolled back too.`;
  return refuseForNow(sentence, { next: [ask(end, "brings that rollback to its end")] });
}

/** @param judged figures of the rollout that goes back; null where none does, or they are not known */
export function planRollback(
  reversal: Reversal,
  reason: string,
  context: DecisionContext,
  judged: Judged | null,
  ending: Ending = "rolled_back",
): Decision {
  const { current, previous, endpoint, rollout } = reversal;
  const verdict = judged?.verdict ?? rollout?.verdict ?? null;
  const sides = { candidate_id: current.deployment_id, baseline_id: previous.deployment_id };
  const moment = momentOf(reversal.live, sides, verdict);
  return propose({
    summary: `${ending === "aborted" ? "Abort the rollout and take" : "Roll"} ${endpoint.endpoint_name} back from ${current.bento_tag} to ${previous.bento_tag}${isWarm(reversal) ? "" : ", served again from its bento first"}.`,
    lease_name: endpoint.endpoint_name,
    preempts: true,
    intent: [...suspendRollout(rollout, judged), ...keepServer(reversal)],
    steps: rollbackSteps(reversal, reason, verdict, moment),
    on_success: [
      setStatus(current.deployment_id, ["active", "deploying"], "rolled_back", {
        keepWarmSeconds: KEEP_BAD_SECONDS,
        rollbackReason: reason,
      }),
      ...(previous.status === "active" ? [] : [setStatus(previous.deployment_id, ["draining"], "active")]),
      ...stageMoves(reversal, reason).map((move) =>
        setStage(move, context.requested_by, { verdict, ...moment.evidence }),
      ),
      ...endRollout(rollout, judged, ending, { reason, ...moment }),
      ...announceRollback(reversal, reason, context, judged, ending),
    ],
    on_failure: [...resumeAfterFailedRollback(rollout, judged, context.now), ...releaseServer(reversal)],
    draft: rollbackAnswer(reversal),
    generation: endpoint.generation,
    notes: engineChangeNotes(current, previous),
    names: namesOf({
      deployments: [current, previous],
      versions: [reversal.currentVersion, reversal.previousVersion],
      rollouts: [rollout],
    }),
  });
}

function rollbackAnswer(reversal: Reversal): Answer {
  const { current, previous, live } = reversal;
  return {
    ...emptyAnswer,
    model_version_id: previous.model_version_id,
    rollback_successful: true,
    active_deployment_id: previous.deployment_id,
    deployment_manifest: restoredManifest(reversal),
    notes: [...engineChangeNotes(current, previous), ...serverNotes(reversal), ...missingNotes(live)],
  };
}

function restoredManifest({ previous, endpoint, current }: Reversal): DeploymentManifest {
  const route = {
    endpoint_url: endpoint.endpoint_url,
    generation: endpoint.generation + 1,
    weights: allTo(previous.deployment_id),
    mirror_deployment_id: mirrorAfter(endpoint, current),
  };
  return manifestOf({ ...previous, status: "active" }, route, null);
}

/** The mirror stays, unless it is the bad deployment's own. */
function mirrorAfter(endpoint: Endpoint, current: Deployment): string | null {
  const mirror = endpoint.mirror_deployment_id;
  return mirror === current.deployment_id ? null : mirror;
}

function rollbackSteps(
  reversal: Reversal,
  reason: string,
  verdict: Verdict | null,
  moment: Moment,
): PlannedStep[] {
  const { endpoint, current, previous } = reversal;
  return [
    ...serveAgain(reversal),
    ...switchRoute({
      endpoint_name: endpoint.endpoint_name,
      before: endpoint,
      weights: allTo(previous.deployment_id),
      mirror_deployment_id: mirrorAfter(endpoint, current),
      reason: `rollback of ${current.deployment_id}: ${reason}`,
      verdict,
      moment,
    }),
  ];
}

/**
 * One version leaves production and the other returns, in one transaction. No stage moves when both are the same, or
 * when a newer version has superseded the bad one already and holds production.
 */
function stageMoves({ currentVersion, previousVersion }: Reversal, reason: string): StageMove[] {
  if (currentVersion.model_version_id === previousVersion.model_version_id) return [];
  if (currentVersion.stage !== "production") return [];
  return [
    { version: currentVersion, to: "archived", kind: "rollback", reason },
    ...(previousVersion.stage === "archived"
      ? [{ version: previousVersion, to: "production" as const, kind: "rollback" as const, reason }]
      : []),
  ];
}
