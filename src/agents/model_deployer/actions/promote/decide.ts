import { approvalNotes, approvalsNeeded } from "../../planning/approval/approvals_needed.ts";
import { missing, propose, refuse } from "../../planning/decisions.ts";
import { ask, creation, listing } from "../../planning/ways_out/next_steps.ts";
import { stepsToNextStage } from "../../planning/ways_out/stage_steps.ts";
import { refuseWhileRollingOut } from "../../planning/ways_out/open_rollout.ts";
import { waysOfEnded } from "../rollback/ended_version.ts";
import { refuseUnmet } from "./refused_gate.ts";
import { decideArchive } from "./archive.ts";
import type { ApprovedMove, GatePolicy, ModelVersion, ShadowEvidence } from "../../domain/entities.ts";
import {
  type FeatureShift,
  featureShift,
  featureShiftNotes,
} from "../../planning/comparisons/feature_shift.ts";
import { refusePromotionPath } from "../../domain/lifecycle.ts";
import { endpointName } from "../../domain/values/names.ts";
import type { Decision, Plan } from "../../domain/plan.ts";
import { namesOf } from "../../planning/wording/plan_names.ts";
import { loadingEvidence } from "../../planning/approval/loading_rows.ts";
import { vulnerabilityEvidence } from "../../planning/approval/vulnerability_rows.ts";
import { signingEvidence } from "../../planning/approval/signing_rows.ts";
import { gateEvidence, unmetProductionCriteria } from "./production_gate.ts";
import type { DecisionContext, PromoteRequest } from "../../domain/requests.ts";
import { rolloutEvidence } from "../../planning/rollout_evidence.ts";
import { announceMoves, promotionAnswer, setStage, type StageMove } from "../../planning/stage_moves.ts";
import { withSignature } from "../../planning/comparisons/signature_comparison.ts";
import { supersedeRollout } from "./supersede_rollout.ts";
import { describeComparison } from "../../judge/evidence/shadow_pairs.ts";
import type { PromoteFacts } from "./facts.ts";

type ApprovedMoves = [ApprovedMove, ...ApprovedMove[]];
const PROMOTION: ApprovedMoves = ["promotion"];
const SUPERSEDING_PROMOTION: ApprovedMoves = ["promotion", "supersession"];

export function decidePromote(
  request: PromoteRequest,
  facts: PromoteFacts,
  context: DecisionContext,
): Decision {
  const { version, experiment } = facts;
  if (version === null)
    return missing("Model version", request.model_version_id, "register it first", [listing.versions]);
  if (experiment === null)
    return missing("Experiment", version.experiment_id, "create it first", [creation(version.experiment_id)]);
  if (request.current_stage !== null && request.current_stage !== version.stage) {
    const { current_stage: believed, target_stage, promotion_reason, model_version_id } = request;
    const { stage } = version;
    const asked = { deployment_action: "promote", model_version_id, target_stage, promotion_reason };
    const sentence = `${model_version_id} is at ${stage}, not at ${believed} as the request says.`;
    return refuse("conflict", sentence, {
      next: [ask({ ...asked, current_stage: stage }, `asks for it from ${stage}`)],
    });
  }
  const pathRefusal = refusePromotionPath(version.model_version_id, version.stage, request.target_stage);
  if (pathRefusal !== null) {
    const next =
      version.stage === "archived"
        ? waysOfEnded(version, facts.ended, request.promotion_reason)
        : stepsToNextStage(version, request.promotion_reason);
    return { decision: "refusal", refusal: { ...pathRefusal, next } };
  }
  const duringRollout = refuseDuringRollout(request, facts, version, context);
  if (duringRollout !== null) return duringRollout;
  if (request.target_stage === "archived") return decideArchive(request, { ...facts, version }, context);
  if (request.target_stage !== "production") return planned(request, facts, version, context);

  const gate = {
    version,
    experiment,
    policy: facts.policy,
    shadow: facts.shadow,
    production: facts.production,
    vulnerabilities: facts.vulnerabilities,
  };
  const unmet = unmetProductionCriteria(gate);
  if (unmet.length > 0) {
    const sentence = `${version.model_version_id} may not go to production yet. ${unmet.map((one) => one.sentence).join(" ")}`;
    return refuseUnmet(gate, sentence, context.now);
  }
  return planned(request, facts, version, context);
}

function planned(...[request, facts, version, context]: Parameters<typeof plan>): Decision {
  return withSignature(plan(request, facts, version, context), version, facts.production);
}

/**
 * Refuses a change of the production version while a rollout is open, which would end with another version than was
 * approved. Where the policy says `supersede`, a newer version ends the rollout instead.
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
  return refuseWhileRollingOut(
    open,
    `move ${version.model_version_id} to ${request.target_stage}`,
    request.promotion_reason,
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
    approvals_needed: toProduction ? approvalsNeeded(policy, context, ...asked) : 0,
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

/** The gate's figures, those that only a person can judge, and the rollout that the move would end. */
function productionEvidence(
  version: ModelVersion,
  { experiment, policy, shadow, production, vulnerabilities, way_back: wayBack }: PromoteFacts,
  shift: FeatureShift | null,
): Plan["evidence"] {
  const gate =
    experiment === null
      ? {}
      : gateEvidence({ version, experiment, policy, shadow, production, vulnerabilities });
  const ended = wayBack?.open_rollout ?? null;
  return {
    ...gate,
    ...loadingEvidence(version, production),
    ...signingEvidence(version, production),
    ...vulnerabilityEvidence(vulnerabilities),
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
