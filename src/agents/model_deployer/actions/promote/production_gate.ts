import { policyEvidence } from "../../planning/approval/policy_evidence.ts";
import type { Experiment } from "../../domain/entities.ts";
import { allowedFormats, refusedFormats } from "../../domain/models/allowed_formats.ts";
import {
  policyText,
  refusedEnvironment,
  type VulnerabilityFacts,
} from "../../domain/models/known_vulnerabilities.ts";
import { allowedSigners, refusedSigners, signersText } from "../../domain/models/signers.ts";
import type { Plan, UnmetCriterion } from "../../domain/plan.ts";
import { boundOnShadow, shadowCriteria, type ShadowFacts } from "./shadow_criteria.ts";
import { unmet, unmetSuccessCriteria } from "./success_criteria.ts";

export interface GateFacts extends ShadowFacts {
  experiment: Experiment;
  /** Known vulnerabilities of the version's packages. */
  vulnerabilities: VulnerabilityFacts;
}

/** All figures of the gate, by name, for whoever approves. */
export function gateEvidence(facts: GateFacts): Plan["evidence"] {
  const { version, experiment, policy, shadow } = facts;
  const bound = shadow === null ? null : boundOnShadow(facts, shadow);
  const { minimum_auc, minimum_precision_at_k, maximum_fpr, criteria = [] } = experiment;
  return {
    metrics: version.metrics,
    success_criteria: { minimum_auc, minimum_precision_at_k, maximum_fpr, criteria },
    gate_policy: policyEvidence(policy),
    shadow,
    shadow_worse_by: bound,
  };
}

function formatsCriterion({ version, policy }: GateFacts): UnmetCriterion | null {
  const allowed = allowedFormats(version.experiment_id, policy);
  if (allowed === undefined || version.loading === null) return null;
  const found = refusedFormats(version.loading, allowed, version.model_version_id);
  if (found === null) return null;
  return unmet("formats", `only ${allowed.formats.join(", ")}`, found.refused.join(", "), found.sentence);
}

function signersCriterion({ version, policy }: GateFacts): UnmetCriterion | null {
  const allowed = allowedSigners(version.experiment_id, policy);
  if (allowed === undefined || version.signed_by === null) return null;
  const found = refusedSigners(version.signed_by, allowed, version.model_version_id);
  if (found === null) return null;
  const required = `signed by ${signersText(allowed.signers)}`;
  return unmet("signers", required, found.refused.join(", "), found.sentence);
}

function vulnerabilitiesCriterion({ version, policy, vulnerabilities }: GateFacts): UnmetCriterion | null {
  const { experiment_id, model_version_id } = version;
  const asked = policy.vulnerabilities;
  const found = refusedEnvironment(vulnerabilities, { experiment_id, policy: asked }, model_version_id);
  if (found === null || asked === null) return null;
  return unmet("vulnerabilities", policyText(asked), found.observed, found.sentence);
}

/** All criteria for production that the version does not meet, never only the first. */
export function unmetProductionCriteria(facts: GateFacts): UnmetCriterion[] {
  return [
    ...unmetSuccessCriteria(facts.experiment, facts.version.metrics),
    formatsCriterion(facts),
    signersCriterion(facts),
    vulnerabilitiesCriterion(facts),
    ...shadowCriteria(facts),
  ].filter((criterion) => criterion !== null);
}
