import type { NextStep } from "../../../base/next_step.ts";
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

/** Files, signers and packages of a version that the policy does not allow, and how a person would allow them. */
interface Disallowed {
  criterion: UnmetCriterion;
  next: NextStep[];
}

function disallowedFormats({ version, policy }: GateFacts): Disallowed | null {
  const allowed = allowedFormats(version.experiment_id, policy);
  if (allowed === undefined || version.loading === null) return null;
  const found = refusedFormats(version.loading, allowed, version.model_version_id);
  if (found === null) return null;
  const { refused, sentence, next } = found;
  const required = `only ${allowed.formats.join(", ")}`;
  return { criterion: unmet("formats", required, refused.join(", "), sentence), next };
}

function disallowedSigners({ version, policy }: GateFacts): Disallowed | null {
  const allowed = allowedSigners(version.experiment_id, policy);
  if (allowed === undefined || version.signed_by === null) return null;
  const found = refusedSigners(version.signed_by, allowed, version.model_version_id);
  if (found === null) return null;
  const { refused, sentence, next } = found;
  const required = `signed by ${signersText(allowed.signers)}`;
  return { criterion: unmet("signers", required, refused.join(", "), sentence), next };
}

function disallowedVulnerabilities({ version, policy, vulnerabilities }: GateFacts): Disallowed | null {
  const { experiment_id, model_version_id } = version;
  const asked = policy.vulnerabilities;
  const found = refusedEnvironment(vulnerabilities, { experiment_id, policy: asked }, model_version_id);
  if (found === null || asked === null) return null;
  const { observed, sentence, next } = found;
  return { criterion: unmet("vulnerabilities", policyText(asked), observed, sentence), next };
}

const disallowed = (facts: GateFacts): Disallowed[] =>
  [disallowedFormats(facts), disallowedSigners(facts), disallowedVulnerabilities(facts)].filter(
    (one) => one !== null,
  );

/** How a person would have the policy allow what it refuses of the version. */
export const allowingNext = (facts: GateFacts): NextStep[] => disallowed(facts).flatMap(({ next }) => next);

/** All criteria for production that the version does not meet, never only the first. */
export function unmetProductionCriteria(facts: GateFacts): UnmetCriterion[] {
  return [
    ...unmetSuccessCriteria(facts.experiment, facts.version.metrics),
    ...disallowed(facts).map(({ criterion }) => criterion),
    ...shadowCriteria(facts),
  ].filter((criterion) => criterion !== null);
}
