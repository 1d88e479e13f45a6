import { approvalNotes, approvalsNeeded } from "./approvals_needed.ts";
import { missing, propose, refuse, refuseForNow } from "./decisions.ts";
import { decideArchive } from "./decide_archive.ts";
import type {
  ApprovedMove,
  Deployment,
  Endpoint,
  Experiment,
  GatePolicy,
  ModelVersion,
  ShadowEvidence,
} from "./entities.ts";
import { type FeatureShift, featureShift, featureShiftNotes } from "./feature_shift.ts";
import { refusePromotionPath } from "./lifecycle.ts";
import type { LiveFigures } from "./live_figures.ts";
import { endpointName } from "./names.ts";
import type { Decision, Plan } from "./plan.ts";
import { namesOf } from "./plan_names.ts";
import { gateEvidence, unmetProductionCriteria } from "./production_gate.ts";
import type { DecisionContext, PromoteRequest } from "./requests.ts";
import type { Rollout } from "./rollout.ts";
import { rolloutEvidence } from "./rollout_evidence.ts";
import type { RollbackFacts } from "./decide_rollback.ts";
import { announceMoves, promotionAnswer, setStage, type StageMove } from "./stage_moves.ts";
import { supersedeRollout } from "./supersede_rollout.ts";
import { describeComparison } from "./shadow_comparison.ts";

export interface PromoteFacts {
  version: ModelVersion | null;
  experiment: Experiment | null;
  policy: GatePolicy;
  shadow: ShadowEvidence | null;
  /** The version that is at production now. */
  production: ModelVersion | null;
  /** The endpoint that callers of this experiment use. */
  endpoint: Endpoint | null;
  /** Deployments that have weight on the endpoint now, each with its version. */
  serving: { deployment: Deployment; version: ModelVersion }[];
  open_rollout: Rollout | null;
  /** The way back from the open rollout's candidate; null without one. */
  way_back: RollbackFacts | null;
  /** Of what an archival takes the traffic from; read for no other move. */
  live: LiveFigures;
  /** Shadow figures could not be read, and why; the stored evidence counts. */
  notes: string[];
}

type ApprovedMoves = [ApprovedMove, ...ApprovedMove[]];
const PROMOTION: ApprovedMoves = ["promotion"];
const SUPERSEDING_PROMOTION: ApprovedMoves = ["promotion", "supersession"];

export function decidePromote(
  request: PromoteRequest,
  facts: PromoteFacts,
  context: DecisionContext,
): Decision {
  const { version, experiment } = facts;
  if (version === null) return missing("Model version", request.model_version_id, "register it first");
  if (experiment === null) return missing("Experiment", version.experiment_id, "create it first");
  if (request.current_stage !== null && request.current_stage !== version.stage) {
    return refuse(
      "conflict",
      `${version.model_version_id} is at ${version.stage}, not at ${request.current_stage} as the request says.`,
    );
  }
  const pathRefusal = refusePromotionPath(version.model_version_id, version.stage, request.target_stage);
  if (pathRefusal !== null) return { decision: "refusal", refusal: pathRefusal };
  const duringRollout = refuseDuringRollout(request, facts, version, context);
  if (duringRollout !== null) return duringRollout;
  if (request.target_stage === "archived") return decideArchive(request, { ...facts, version }, context);
  if (request.target_stage !== "production") return plan(request, facts, version, context);

  const unmet = unmetProductionCriteria({ version, experiment, policy: facts.policy, shadow: facts.shadow });
  if (unmet.length > 0) {
    const sentence = `${version.model_version_id} may not go to production yet. ${unmet.map((one) => one.sentence).join(" ")}`;
    return refuse("production_criteria_not_met", sentence, unmet);
  }
  return plan(request, facts, version, context);
}

/**
 * What is at production may not change under a rollout, which would end with another version than was approved. Where the
 * policy says so, a newer version ends the rollout instead of waiting for it.
 */
function refuseDuringRollout(
  request: PromoteRequest,
  facts: PromoteFacts,
  version: ModelVersion,
  context: DecisionContext,
): Decision | null {
  const { open_rollout: open } = facts;
  const changesProduction = request.target_stage === "production" || request.target_stage === "archived";
  if (open === null || !changesProduction) return null;
  const supersedes = request.target_stage === "production" && facts.policy.during_rollout === "supersede";
  if (supersedes && endingOf(facts, version, context) !== null) return null;
  const id = version.model_version_id;
  return refuseForNow(
    `Rollout ${open.rollout_id} of ${open.deployment_id} is ${open.status} on ${open.endpoint_name}; wait for its end or roll ${open.deployment_id} back, then move ${id} to ${request.target_stage}.`,
  );
}

function plan(
  request: PromoteRequest,
  facts: PromoteFacts,
  version: ModelVersion,
  context: DecisionContext,
): Decision {
  const { target_stage: target, promotion_reason: reason } = request;
  const toProduction = target === "production";
  const { policy } = facts;
  const superseded = toProduction ? facts.production : null;
  const moves: StageMove[] = [
    ...(superseded === null ? [] : [supersession(superseded, version)]),
    { version, to: target, kind: "promotion", reason },
  ];
  const shift = featureShift(version, facts.production);
  const evidence = toProduction ? productionEvidence(version, facts, shift) : {};
  const ended = toProduction ? endingOf(facts, version, context) : null;
  const asked = ended === null ? PROMOTION : SUPERSEDING_PROMOTION;
  const notes = [
    ...facts.notes,
    ...featureShiftNotes(shift),
    ...(ended?.notes ?? []),
    ...(toProduction ? [...gateNotes(policy, facts.shadow), ...approvalNotes(policy, ...asked)] : []),
  ];
  const also = superseded === null ? "" : `; ${superseded.model_version_id} is archived`;
  return propose({
    summary: `Promote ${version.model_version_id} from ${version.stage} to ${target}${also}.`,
    lease_name: toProduction
      ? endpointName(version.experiment_id, "production")
      : `version/${version.model_version_id}`,
    intent: ended?.intent ?? [],
    steps: ended?.steps ?? [],
    on_failure: ended?.on_failure ?? [],
    on_success: [
      ...(ended?.on_success ?? []),
      ...moves.map((move) => setStage(move, context.requested_by, evidence)),
      ...announceMoves(moves, context, procedureTo(target)),
    ],
    draft: promotionAnswer(version, target, reason, context, notes),
    approvals_needed: toProduction ? approvalsNeeded(policy, ...asked) : 0,
    generation: facts.endpoint?.generation ?? 0,
    notes,
    evidence,
    names: { ...ended?.names, ...namesOf({ versions: [version, superseded] }) },
  });
}

function procedureTo(target: PromoteRequest["target_stage"]): string[] {
  const gate = target === "production" ? ["check_production_gate", "approve"] : [];
  return ["check_lifecycle", ...gate, "set_stage"];
}

function gateNotes(policy: GatePolicy, shadow: ShadowEvidence | null): string[] {
  const comparison = shadow?.comparison ?? null;
  const demo = `Demo gate policy ${policy.policy_id} is in force: ${policy.reason}.`;
  return [
    ...(policy.kind === "demo" ? [demo] : []),
    ...(comparison === null || comparison.pairs === 0
      ? []
      : [`On the same requests ${describeComparison(comparison)}.`]),
  ];
}

/** Everything that the gate looked at, what nobody but a person can judge, and the rollout that the move would end. */
function productionEvidence(
  version: ModelVersion,
  { experiment, policy, shadow, way_back: wayBack }: PromoteFacts,
  shift: FeatureShift | null,
): Plan["evidence"] {
  const gate = experiment === null ? {} : gateEvidence({ version, experiment, policy, shadow });
  const ended = wayBack?.open_rollout ?? null;
  return {
    ...gate,
    feature_shift: shift === null ? null : { ...shift },
    ...(ended === null ? {} : { ended_rollout: rolloutEvidence(ended) }),
  };
}

function endingOf({ way_back }: PromoteFacts, by: ModelVersion, context: DecisionContext) {
  return way_back === null ? null : supersedeRollout(way_back, by, context);
}

function supersession(version: ModelVersion, by: ModelVersion): StageMove {
  return { version, to: "archived", kind: "supersession", reason: `superseded by ${by.model_version_id}` };
}
