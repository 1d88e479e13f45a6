import type { ModelVersion } from "../../domain/entities.ts";
import type { Plan } from "../../domain/plan.ts";
import type { DecisionContext } from "../../domain/requests.ts";
import type { PlannedTraffic } from "../../domain/traffic/planned_traffic.ts";
import { loadingEvidence } from "../../planning/approval/loading_rows.ts";
import { vulnerabilityEvidence } from "../../planning/approval/vulnerability_rows.ts";
import { signingEvidence } from "../../planning/approval/signing_rows.ts";
import { approvalNotes, approvalsNeeded } from "../../planning/approval/approvals_needed.ts";
import type { DeployFacts } from "./facts.ts";

/** A first step above this share of the traffic needs the approval of a deployment at once. */
const LARGEST_FIRST_STEP = 50;

/** Asks people where a deployment gets all traffic with its first step; without a baseline nobody loses by it. */
export function askedAtOnce(
  traffic: PlannedTraffic,
  firstShare: number,
  version: ModelVersion,
  { policy, serves_now, vulnerabilities }: DeployFacts,
  context: DecisionContext,
): Pick<Plan, "approvals_needed" | "evidence" | "notes"> {
  const isAtOnce = traffic.baseline !== null && firstShare > LARGEST_FIRST_STEP;
  if (!isAtOnce) return { approvals_needed: 0, evidence: {}, notes: [] };
  return {
    approvals_needed: approvalsNeeded(policy, context, "immediate_deployment"),
    evidence: {
      metrics: version.metrics,
      weights: traffic.weights,
      ...loadingEvidence(version, serves_now),
      ...signingEvidence(version, serves_now),
      ...vulnerabilityEvidence(vulnerabilities),
    },
    notes: approvalNotes(policy, "immediate_deployment"),
  };
}
