import type { ModelVersion, ShadowEvidence } from "../../domain/entities.ts";
import type { ApprovedMove, GatePolicy } from "../../domain/models/gate_policy.ts";
import type { Plan } from "../../domain/plan.ts";
import type { DecisionContext } from "../../domain/requests.ts";
import { describeComparison } from "../../judge/evidence/shadow_pairs.ts";
import { approvalNotes, approvalsNeeded } from "../../planning/approval/approvals_needed.ts";
import { loadingEvidence } from "../../planning/approval/loading_rows.ts";
import { signingEvidence } from "../../planning/approval/signing_rows.ts";
import { vulnerabilityEvidence } from "../../planning/approval/vulnerability_rows.ts";
import type { FeatureShift } from "../../planning/comparisons/feature_shift.ts";
import { rolloutEvidence } from "../../planning/rollout_evidence.ts";
import type { PromoteFacts } from "./facts.ts";
import { gateEvidence } from "./production_gate.ts";
import { supersedeRollout } from "./supersede_rollout.ts";

type ApprovedMoves = [ApprovedMove, ...ApprovedMove[]];
const PROMOTION: ApprovedMoves = ["promotion"];
const SUPERSEDING_PROMOTION: ApprovedMoves = ["promotion", "supersession"];

/** The evidence and the approvals of a promotion, and the rollout that ends for it. */
interface AskedApproval extends Pick<Plan, "evidence" | "approvals_needed" | "notes"> {
  ended: ReturnType<typeof endingOf>;
}

export const noApproval: AskedApproval = { ended: null, evidence: {}, approvals_needed: 0, notes: [] };

export function approvalForProduction(
  version: ModelVersion,
  facts: PromoteFacts,
  shift: FeatureShift | null,
  context: DecisionContext,
): AskedApproval {
  const { policy, shadow } = facts;
  const ended = endingOf(facts, version, context);
  const moves = ended === null ? PROMOTION : SUPERSEDING_PROMOTION;
  return {
    ended,
    evidence: productionEvidence(version, facts, shift),
    approvals_needed: approvalsNeeded(policy, context, ...moves),
    notes: [...gateNotes(policy, shadow), ...approvalNotes(policy, ...moves)],
  };
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

/** How the open rollout would end for the promotion; null without one. */
export function endingOf({ way_back }: PromoteFacts, by: ModelVersion, context: DecisionContext) {
  return way_back === null ? null : supersedeRollout(way_back, by, context);
}
