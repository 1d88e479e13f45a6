import { missing, propose, refuse } from "../../planning/decisions.ts";
import { ask, creation, listing } from "../../planning/ways_out/next_steps.ts";
import { stepsToNextStage } from "../../planning/ways_out/stage_steps.ts";
import { refuseWhileRollingOut } from "../../planning/ways_out/open_rollout.ts";
import { waysOfEnded } from "../rollback/ended_version.ts";
import { refuseUnmet } from "./refused_gate.ts";
import { decideArchive } from "./archive.ts";
import type { ModelVersion } from "../../domain/entities.ts";
import { featureShift, featureShiftNotes } from "../../planning/comparisons/feature_shift.ts";
import { refusePromotionPath } from "../../domain/lifecycle.ts";
import { endpointName } from "../../domain/values/names.ts";
import type { Decision } from "../../domain/plan.ts";
import { namesOf } from "../../planning/wording/plan_names.ts";
import { unmetProductionCriteria } from "./production_gate.ts";
import type { DecisionContext, PromoteRequest } from "../../domain/requests.ts";
import { announceMoves, promotionAnswer, setStage, type StageMove } from "../../planning/stage_moves.ts";
import { withSignature } from "../../planning/comparisons/signature_comparison.ts";
import { approvalForProduction, endingOf, noApproval } from "./production_approval.ts";
import type { PromoteFacts } from "./facts.ts";

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
  const refused =
    refuseOtherStage(request, version) ??
    refusePath(request, facts, version) ??
    refuseDuringRollout(request, facts, version, context);
  if (refused !== null) return refused;
  if (request.target_stage === "archived") return decideArchive(request, { ...facts, version }, context);
  if (request.target_stage !== "production") return planned(request, facts, version, context);

  const { policy, shadow, production, vulnerabilities } = facts;
  const gate = { version, experiment, policy, shadow, production, vulnerabilities };
  const unmet = unmetProductionCriteria(gate);
  if (unmet.length > 0) {
    const sentence = `${version.model_version_id} may not go to production yet. ${unmet.map((one) => one.sentence).join(" ")}`;
    return refuseUnmet(gate, sentence, context.now);
  }
  return planned(request, facts, version, context);
}

/** The caller believes the version at another stage than it is. */
function refuseOtherStage(request: PromoteRequest, { stage }: ModelVersion): Decision | null {
  const { current_stage: believed, target_stage, promotion_reason, model_version_id } = request;
  if (believed === null || believed === stage) return null;
  const asked = { deployment_action: "promote", model_version_id, target_stage, promotion_reason };
  const sentence = `${model_version_id} is at ${stage}, not at ${believed} as the request says.`;
  return refuse("conflict", sentence, {
    next: [ask({ ...asked, current_stage: stage }, `asks for it from ${stage}`)],
  });
}

function refusePath(
  { target_stage, promotion_reason: reason }: PromoteRequest,
  { ended }: PromoteFacts,
  version: ModelVersion,
): Decision | null {
  const refusal = refusePromotionPath(version.model_version_id, version.stage, target_stage);
  if (refusal === null) return null;
  const isArchived = version.stage === "archived";
  const next = isArchived ? waysOfEnded(version, ended, reason) : stepsToNextStage(version, reason);
  return { decision: "refusal", refusal: { ...refusal, next } };
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
  const superseded = target === "production" ? facts.production : null;
  const moves: StageMove[] = [
    ...(superseded === null ? [] : [supersession(superseded, version)]),
    { version, to: target, kind: "promotion", reason },
  ];
  const shift = featureShift(version, facts.production);
  const isProduction = target === "production";
  const asked = isProduction ? approvalForProduction(version, facts, shift, context) : noApproval;
  const { ended, evidence } = asked;
  const notes = [...facts.notes, ...featureShiftNotes(shift), ...(ended?.notes ?? []), ...asked.notes];
  const also = superseded === null ? "" : `; ${superseded.model_version_id} is archived`;
  return propose({
    summary: `Promote ${version.model_version_id} from ${version.stage} to ${target}${also}.`,
    lease_name: leaseFor(target, version),
    intent: ended?.intent ?? [],
    steps: ended?.steps ?? [],
    on_failure: ended?.on_failure ?? [],
    on_success: [
      ...(ended?.on_success ?? []),
      ...moves.map((move) => setStage(move, context.requested_by, evidence)),
      ...announceMoves(moves, context, procedureTo(target)),
    ],
    draft: promotionAnswer(version, target, reason, context, notes),
    approvals_needed: asked.approvals_needed,
    generation: facts.endpoint?.generation ?? 0,
    notes,
    evidence,
    names: { ...ended?.names, ...namesOf({ versions: [version, superseded] }) },
  });
}

function leaseFor(target: PromoteRequest["target_stage"], version: ModelVersion): string {
  if (target === "production") return endpointName(version.experiment_id, "production");
  return `version/${version.model_version_id}`;
}

function procedureTo(target: PromoteRequest["target_stage"]): string[] {
  const gate = target === "production" ? ["check_production_gate", "approve"] : [];
  return ["check_lifecycle", ...gate, "set_stage"];
}

function supersession(version: ModelVersion, by: ModelVersion): StageMove {
  return { version, to: "archived", kind: "supersession", reason: `superseded by ${by.model_version_id}` };
}
