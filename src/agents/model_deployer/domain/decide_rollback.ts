import { type Answer, type DeploymentManifest, emptyAnswer } from "./answer.ts";
import type { Judged } from "./canary_judge.ts";
import { missing, planned, propose, refuse } from "./decisions.ts";
import type { Deployment, Endpoint, ModelVersion } from "./entities.ts";
import { judgedNow, type LiveFigures, missingNotes, type Moment, momentOf } from "./live_figures.ts";
import { manifestOf } from "./manifest.ts";
import type { Decision, PlannedStep, Step } from "./plan.ts";
import { namesOf } from "./plan_names.ts";
import { packageOf, startOf } from "./planned_deployment.ts";
import type { DecisionContext, RollbackRequest } from "./requests.ts";
import { announceRollback } from "./rollback_announcements.ts";
import { endRollout, type Ending, goOn, holdStill } from "./rollback_of_rollout.ts";
import type { Rollout, Verdict } from "./rollout.ts";
import { setStatus, switchRoute } from "./route_switch.ts";
import { setStage, type StageMove } from "./stage_moves.ts";
import { allTo, isBegun } from "./weights.ts";

export interface RollbackFacts {
  current: Deployment | null;
  current_version: ModelVersion | null;
  endpoint: Endpoint | null;
  /** The last deployment that served production before the current one. */
  previous: Deployment | null;
  previous_version: ModelVersion | null;
  /** The previous one's server answers now, with the expected tag. */
  previous_is_ready: boolean;
  open_rollout: Rollout | null;
  /** The current one's own, which had given it all traffic. */
  completed_rollout: Rollout | null;
  live: LiveFigures;
}

export interface Turn {
  current: Deployment;
  currentVersion: ModelVersion;
  endpoint: Endpoint;
  previous: Deployment;
  previousVersion: ModelVersion;
  rollout: Rollout | null;
  warm: boolean;
  live: LiveFigures;
}

/** How long the bad version's server stays, so that somebody can look at it. */
const KEEP_BAD_SECONDS = 300;

export function decideRollback(
  request: RollbackRequest,
  facts: RollbackFacts,
  context: DecisionContext,
): Decision {
  const { current, endpoint, previous, current_version: currentVersion, open_rollout: open } = facts;
  if (current === null)
    return missing("Deployment", request.current_deployment_id, "see the history for what serves now");
  const rollout = open?.deployment_id === current.deployment_id ? open : facts.completed_rollout;
  const obstacle = obstacleTo(current, open, endpoint);
  if (obstacle !== null) return refuse("rollback_failed", obstacle);
  const previousVersion = facts.previous_version;
  if (previous === null || previousVersion === null || currentVersion === null || endpoint === null) {
    return refuse(
      "rollback_failed",
      `No previous production deployment found for ${current.deployment_id}: nothing served ${current.endpoint_name} before it.`,
    );
  }
  const warm = facts.previous_is_ready;
  const { live } = facts;
  const turn: Turn = { current, currentVersion, endpoint, previous, previousVersion, rollout, warm, live };
  return planRollback(turn, request.rollback_reason, context, judgedNow(rollout, live));
}

/** A deployment that was cut off after its first traffic has no rollout yet, and is rolled back all the same. */
function obstacleTo(current: Deployment, open: Rollout | null, endpoint: Endpoint | null): string | null {
  const id = current.deployment_id;
  const isCandidate = open?.deployment_id === id || isBegun(current, endpoint?.weights ?? {});
  if (current.target_stage !== "production") {
    return `${id} serves ${current.target_stage}; only a production deployment can be rolled back.`;
  }
  if (current.status !== "active" && !isCandidate) {
    return `${id} is ${current.status}; only an active production deployment can be rolled back.`;
  }
  if (open?.baseline_deployment_id === id) {
    return `${id} is the baseline of ${open.rollout_id}; roll ${open.deployment_id} back first, then ${id}.`;
  }
  return null;
}

/** @param judged what is seen of the rollout that goes back; null where none does, or its figures are not known */
export function planRollback(
  turn: Turn,
  reason: string,
  context: DecisionContext,
  judged: Judged | null,
  ending: Ending = "rolled_back",
): Decision {
  const { current, previous, endpoint, rollout } = turn;
  const verdict = judged?.verdict ?? rollout?.verdict ?? null;
  const sides = { candidate_id: current.deployment_id, baseline_id: previous.deployment_id };
  const moment = momentOf(turn.live, sides, verdict);
  return propose({
    summary: `${ending === "aborted" ? "Abort the rollout and take" : "Roll"} ${endpoint.endpoint_name} back from ${current.bento_tag} to ${previous.bento_tag}${turn.warm ? "" : ", served again from its bento first"}.`,
    lease_name: endpoint.endpoint_name,
    preempts: true,
    intent: holdStill(rollout, judged),
    steps: rollbackSteps(turn, reason, verdict, moment),
    on_success: [
      setStatus(current.deployment_id, ["active", "deploying"], "rolled_back", {
        keepWarmSeconds: KEEP_BAD_SECONDS,
        rollbackReason: reason,
      }),
      ...(previous.status === "active" ? [] : [setStatus(previous.deployment_id, ["draining"], "active")]),
      ...stageMoves(turn, reason).map((move) =>
        setStage(move, context.requested_by, { verdict, ...moment.evidence }),
      ),
      ...endRollout(rollout, judged, ending, { reason, ...moment }),
      ...announceRollback(turn, reason, context, judged, ending),
    ],
    on_failure: goOn(rollout, judged, context.now),
    draft: rollbackAnswer(turn),
    generation: endpoint.generation,
    names: namesOf({
      deployments: [current, previous],
      versions: [turn.currentVersion, turn.previousVersion],
      rollouts: [rollout],
    }),
  });
}

function rollbackAnswer(turn: Turn): Answer {
  const { previous, warm, live } = turn;
  return {
    ...emptyAnswer,
    model_version_id: previous.model_version_id,
    rollback_successful: true,
    active_deployment_id: previous.deployment_id,
    deployment_manifest: restoredManifest(turn),
    notes: [
      ...(warm
        ? []
        : [`The server of ${previous.deployment_id} was not running and was started again from its bento.`]),
      ...missingNotes(live),
    ],
  };
}

function restoredManifest({ previous, endpoint, current }: Turn): DeploymentManifest {
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
  { endpoint, current, previous, previousVersion, warm }: Turn,
  reason: string,
  verdict: Verdict | null,
  moment: Moment,
): PlannedStep[] {
  const serveAgain: PlannedStep[] = [
    planned({ ...packageOf(previousVersion), bento_tag: previous.bento_tag }),
    planned(startOf(previous), { undo: endAgain(previous) }),
  ];
  return [
    ...(warm ? [] : serveAgain),
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

/** A server that had been ended ends again if its route is refused; one that had not may still have requests. */
function endAgain({ deployment_id, drained_at }: Deployment): Step[] {
  return drained_at === null ? [] : [{ step: "stop_server", deployment_id }];
}

/**
 * One version leaves production and the other returns, in one transaction. Nothing moves when both are the same, or
 * when a newer version has superseded the bad one already: then production is that one's place.
 */
function stageMoves({ currentVersion, previousVersion }: Turn, reason: string): StageMove[] {
  if (currentVersion.model_version_id === previousVersion.model_version_id) return [];
  if (currentVersion.stage !== "production") return [];
  return [
    { version: currentVersion, to: "archived", kind: "rollback", reason },
    ...(previousVersion.stage === "archived"
      ? [{ version: previousVersion, to: "production" as const, kind: "rollback" as const, reason }]
      : []),
  ];
}
