import { type Answer, emptyAnswer } from "../../domain/answer.ts";
import type { Change } from "../../domain/changes.ts";
import type { Deployment, ModelVersion } from "../../domain/entities.ts";
import type { Decision, PlannedStep } from "../../domain/plan.ts";
import type { DecisionContext, RollbackRequest } from "../../domain/requests.ts";
import { needsReason, type WaysBack } from "../../domain/traffic/ways_back.ts";
import { allTo, serving } from "../../domain/traffic/weights.ts";
import { judgedNow, missingNotes, momentOf } from "../../judge/counts/live_figures.ts";
import { planned, propose } from "../../planning/decisions.ts";
import { manifestOf } from "../../planning/manifest.ts";
import { namesOf } from "../../planning/wording/plan_names.ts";
import { setStatus, switchRoute } from "../../planning/route_switch.ts";
import { withSignature } from "../../planning/comparisons/signature_comparison.ts";
import { setStage, type StageMove } from "../../planning/stage_moves.ts";
import {
  engineChangeNotes,
  isWarm,
  keepServer,
  releaseServer,
  serveAgain,
  serverNotes,
} from "../../planning/ways_out/way_back.ts";
import { announceReturn } from "./announcements.ts";
import { endRollout, KEEP_BAD_SECONDS, resumeAfterFailedRollback, suspendRollout } from "./ended_rollout.ts";
import type { ReturnFacts } from "./facts.ts";
import { otherWays, whyItLeft } from "./other_ways.ts";

/** Plans a rollback by name, or to what served last on an endpoint where nothing serves. It needs no approval. */
export function planReturn(request: RollbackRequest, facts: ReturnFacts, context: DecisionContext): Decision {
  return withSignature(plan(request, facts, context), facts.target.version, facts.current?.version ?? null);
}

function plan(asked: RollbackRequest, facts: ReturnFacts, context: DecisionContext): Decision {
  const { ways, current, target, live } = facts;
  // The reason is dropped where nobody has condemned the version: in the history it would read as if somebody had.
  const request = needsReason(target, facts.ways) ? asked : { ...asked, condemned_because: undefined };
  const { endpoint, open_rollout } = ways;
  const { rollback_reason: reason } = request;
  const rollout = rolloutOf(facts);
  const judged = judgedNow(rollout, endpoint, live);
  const verdict = judged?.verdict ?? rollout?.verdict ?? null;
  const sides = {
    candidate_id: current?.deployment.deployment_id ?? "",
    baseline_id: target.deployment.deployment_id,
  };
  const moment = momentOf(live, sides, verdict);
  const moves = stageMoves(facts, reason);
  const notes = notesOn(request, facts);
  const evidence = { verdict, ...moment.evidence, condemned_because: request.condemned_because ?? null };
  return propose({
    summary: summaryOf(facts),
    lease_name: endpoint.endpoint_name,
    preempts: true,
    intent: [...suspendRollout(rollout, judged), ...keepServer(wayOf(facts))],
    steps: returnSteps(facts, { reason, verdict, moment }),
    on_success: [
      ...statusChanges(facts, reason),
      ...moves.map((move) => setStage(move, context.requested_by, evidence)),
      ...endRollout(rollout, judged, "rolled_back", { reason, ...moment }),
      ...announceReturn(facts, request, context, moves, verdict),
    ],
    on_failure: [...resumeAfterFailedRollback(rollout, judged, context.now), ...releaseServer(wayOf(facts))],
    // Where nothing served, figures that are missing need no note.
    draft: answerOf(facts, current === null ? notes : [...notes, ...missingNotes(live)]),
    generation: endpoint.generation,
    notes,
    next_if_failed: otherWays(request, ways, [target.deployment.deployment_id]),
    names: namesOf({
      deployments: [...othersOf(facts), current?.deployment ?? null, target.deployment],
      versions: [current?.version ?? null, target.version, ways.production],
      rollouts: [open_rollout],
    }),
  });
}

/** The open rollout, or the completed one of the deployment that loses its traffic. */
function rolloutOf({ ways, completed_rollout }: ReturnFacts) {
  return ways.open_rollout ?? completed_rollout;
}

function summaryOf(facts: ReturnFacts): string {
  const { ways, current, target } = facts;
  const tag = target.deployment.bento_tag;
  const how = isWarm(wayOf(facts)) ? "" : ", served again from its bento first";
  const name = ways.endpoint.endpoint_name;
  if (current === null) {
    const where =
      serving(ways.endpoint.weights).length === 0
        ? "where nothing serves"
        : "past a rollback that has not ended";
    return `Bring ${tag} back on ${name}, ${where}${how}.`;
  }
  return `Roll ${name} back from ${current.deployment.bento_tag} to ${tag}${how}.`;
}

const wayOf = ({ ways, target, server }: ReturnFacts) => ({
  endpoint: ways.endpoint,
  previous: target.deployment,
  previousVersion: target.version,
  server,
});

function returnSteps(
  facts: ReturnFacts,
  why: Pick<Parameters<typeof switchRoute>[0], "reason" | "verdict" | "moment">,
): PlannedStep[] {
  const { ways, target } = facts;
  const { endpoint } = ways;
  const { endpoint_name, experiment_id } = endpoint;
  const isClosed = serving(endpoint.weights).length === 0;
  return [
    ...(isClosed ? [planned({ step: "open_endpoint", endpoint_name, experiment_id })] : []),
    ...serveAgain(wayOf(facts)),
    ...switchRoute({
      endpoint_name,
      before: endpoint,
      weights: allTo(target.deployment.deployment_id),
      mirror_deployment_id: mirrorAfter(facts),
      ...why,
      reason: `rollback to ${target.deployment.deployment_id}: ${why.reason}`,
    }),
  ];
}

/** The mirror stays, unless it is of the deployment that leaves or of the one that comes back. */
function mirrorAfter({ ways, current, target }: ReturnFacts): string | null {
  const mirror = ways.endpoint.mirror_deployment_id;
  const ends = [current?.deployment.deployment_id, target.deployment.deployment_id];
  return ends.includes(mirror ?? "") ? null : mirror;
}

/** The other deployments that lose their share: a rollout's baseline, or one whose move of traffic was cut off. */
function othersOf({ ways, current, target }: ReturnFacts): Deployment[] {
  const known = [current?.deployment.deployment_id, target.deployment.deployment_id];
  return ways.served
    .map(({ deployment }) => deployment)
    .filter(({ deployment_id: id, status }) => {
      const takesPart = status === "active" || (ways.endpoint.weights[id] ?? 0) > 0;
      return takesPart && !known.includes(id);
    });
}

function statusChanges(facts: ReturnFacts, reason: string): Change[] {
  const { current, target, retention_seconds: keepWarmSeconds } = facts;
  const { deployment_id, status } = target.deployment;
  const left = current?.deployment.deployment_id;
  return [
    ...(left === undefined
      ? []
      : [
          setStatus(
            left,
            [...new Set([current?.deployment.status ?? "active", "active", "deploying"] as const)],
            "rolled_back",
            {
              keepWarmSeconds: KEEP_BAD_SECONDS,
              rollbackReason: reason,
            },
          ),
        ]),
    ...othersOf(facts).map((one) =>
      setStatus(one.deployment_id, [one.status], "draining", { keepWarmSeconds }),
    ),
    ...(status === "active" ? [] : [setStatus(deployment_id, [status], "active")]),
  ];
}

/**
 * The version that comes back is at production, and whichever served is archived. Nothing moves where production is the
 * place of a newer version that has not been deployed yet: it superseded what served.
 */
function stageMoves({ ways, target }: ReturnFacts, reason: string): StageMove[] {
  const holder = ways.production;
  if (target.version.stage !== "archived") return [];
  const back: StageMove = { version: target.version, to: "production", kind: "rollback", reason };
  if (holder === null) return [back];
  return hasServed(holder, ways) ? [{ version: holder, to: "archived", kind: "rollback", reason }, back] : [];
}

const hasServed = ({ model_version_id: id }: ModelVersion, { served }: WaysBack): boolean =>
  served.some(({ version }) => version.model_version_id === id);

/** Whatever one who asks for it at night should know of it: warm or cold, why it left, and who said so. */
function notesOn(request: RollbackRequest, facts: ReturnFacts): string[] {
  const { target, is_packaged } = facts;
  const { deployment, version } = target;
  const { bento_tag, deployment_id: id } = deployment;
  return [
    warmth(facts),
    ...engineChangeNotes(facts.current?.deployment ?? null, deployment),
    ...(isWarm(wayOf(facts)) || is_packaged
      ? []
      : [`The bento ${bento_tag} is gone and is built again from ${version.model_artifact_uri} first.`]),
    ...serverNotes(wayOf(facts)),
    ...judgedNotes(facts, request),
    ...(version.stage === "archived" && stageMoves(facts, "").length === 0
      ? [
          `${facts.ways.production?.model_version_id} stays at production by stage; it was never deployed, and ${id} serves until it is.`,
        ]
      : []),
  ];
}

function judgedNotes({ target, ways }: ReturnFacts, { condemned_because: words }: RollbackRequest): string[] {
  const seen = target.departure?.verdict ?? null;
  return [
    `${target.deployment.bento_tag} ${whyItLeft(target, ways)}.`,
    ...(seen === null ? [] : [`What the judge had seen of it: ${seen.reason}`]),
    ...(words === undefined ? [] : [`It serves again because: ${words}`]),
  ];
}

function warmth(facts: ReturnFacts): string {
  const { deployment } = facts.target;
  if (isWarm(wayOf(facts)))
    return `${deployment.deployment_id} is warm: its traffic is one change of weights.`;
  const seconds = deployment.deployment_duration_seconds;
  const about =
    seconds === null
      ? ""
      : ` in about ${Math.max(1, Math.round(seconds))} s, as it took when it was deployed`;
  return `${deployment.deployment_id} starts cold${about}.`;
}

function answerOf(facts: ReturnFacts, notes: string[]): Answer {
  const { ways, target } = facts;
  const { deployment } = target;
  const route = {
    endpoint_url: ways.endpoint.endpoint_url,
    generation: ways.endpoint.generation + 1,
    weights: allTo(deployment.deployment_id),
    mirror_deployment_id: mirrorAfter(facts),
  };
  return {
    ...emptyAnswer,
    model_version_id: deployment.model_version_id,
    rollback_successful: true,
    active_deployment_id: deployment.deployment_id,
    deployment_manifest: manifestOf({ ...deployment, status: "active" }, route, null),
    notes,
  };
}
