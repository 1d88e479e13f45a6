import { policyEvidence } from "../../planning/approval/policy_evidence.ts";
import type { Experiment, GatePolicy, ModelVersion, ShadowEvidence } from "../../domain/entities.ts";
import { allowedFormats, refusedFormats } from "../../domain/models/allowed_formats.ts";
import {
  policyText,
  refusedEnvironment,
  type VulnerabilityFacts,
} from "../../domain/models/known_vulnerabilities.ts";
import { allowedSigners, refusedSigners, signersText } from "../../domain/models/signers.ts";
import type { Plan, UnmetCriterion } from "../../domain/plan.ts";
import { describeComparison, disagreementRate } from "../../judge/evidence/shadow_pairs.ts";
import { defaultJudgeSettings, settingsOver } from "../../domain/traffic/rollout_plan.ts";
import { percent } from "../../judge/sentences.ts";
import { shadowWorseByAtMost } from "../../judge/evidence/shadow_bound.ts";
import { unmet, unmetSuccessCriteria } from "./success_criteria.ts";
import { nothingCompared } from "../../domain/evidence/shadow_comparison.ts";
import { outcomeCriteria } from "./outcome_criteria.ts";

export interface GateFacts {
  version: ModelVersion;
  experiment: Experiment;
  policy: GatePolicy;
  /** Null when the version has no active shadow that the router mirrors to. */
  shadow: ShadowEvidence | null;
  /** The version at production, which the shadow was compared with; null without one. */
  production: Pick<ModelVersion, "model_version_id"> | null;
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

/** Truncated, never rounded up, so that 24 h are not shown seconds early. */
function hoursText(hours: number): string {
  if (hours >= 1) return `${(Math.floor(hours * 100) / 100).toFixed(2)} h`;
  return `${(hours * 3600).toFixed(1)} s`;
}

function shadowCriteria({ version, policy, shadow, production }: GateFacts): (UnmetCriterion | null)[] {
  if (shadow === null) {
    return [
      unmet(
        "shadow_active",
        "an active shadow deployment under mirrored traffic",
        "none",
        `${version.model_version_id} runs in no active shadow; deploy it with target_stage shadow first.`,
      ),
    ];
  }
  const hours = policy.minimum_shadow_hours;
  const errorRate = shadow.requests === 0 ? 0 : shadow.errors / shadow.requests;
  return [
    shadow.hours >= hours
      ? null
      : unmet(
          "shadow_hours",
          `at least ${hoursText(hours)}`,
          hoursText(shadow.hours),
          `It has been in shadow for ${hoursText(shadow.hours)} and needs ${hoursText(hours)}; ${hoursText(hours - shadow.hours)} remain.`,
        ),
    shadow.requests >= policy.minimum_shadow_requests
      ? null
      : unmet(
          "shadow_requests",
          `at least ${policy.minimum_shadow_requests}`,
          String(shadow.requests),
          `The shadow has answered ${shadow.requests} mirrored requests and needs ${policy.minimum_shadow_requests}.`,
        ),
    errorRate <= policy.maximum_shadow_error_rate
      ? null
      : unmet(
          "shadow_error_rate",
          `at most ${policy.maximum_shadow_error_rate}`,
          errorRate.toFixed(4),
          `${shadow.errors} of ${shadow.requests} shadow requests failed; at most ${policy.maximum_shadow_error_rate} of them may.`,
        ),
    latencyCriterion(policy, shadow),
    boundCriterion({ version, policy, production }, shadow),
    disagreementCriterion(policy, shadow),
    ...outcomeCriteria(policy, shadow),
  ];
}

export const NOT_MEASURED = "not measured";

/** A shadow that answered without a measured latency does not meet the bound. */
function latencyCriterion(policy: GatePolicy, { requests, p99_ms }: ShadowEvidence): UnmetCriterion | null {
  const bound = `${policy.maximum_shadow_p99_ms} ms`;
  const fails = (observed: string, sentence: string) =>
    unmet("shadow_p99_ms", `at most ${bound}`, observed, sentence);
  if (p99_ms === null) {
    if (requests === 0) return null;
    return fails(
      NOT_MEASURED,
      `The router has measured no p99 over the shadow's ${requests} requests, and it may be ${bound}.`,
    );
  }
  if (p99_ms <= policy.maximum_shadow_p99_ms) return null;
  return fails(`${p99_ms} ms`, `The shadow's p99 is ${p99_ms} ms and may be ${bound}.`);
}

/**
 * As all traffic does, production asks for evidence that the candidate is no worse than what serves, by the judge's margin.
 * A demo's shadow is too short for that, and without a version at production there is nothing to be worse than.
 */
export function boundOnShadow(
  { version, policy, production }: Pick<GateFacts, "version" | "policy" | "production">,
  shadow: ShadowEvidence,
): { required: number; known: number | null } | null {
  const { margin, alpha } = settingsOver(defaultJudgeSettings, policy.judge);
  const hasControl = production !== null && production.model_version_id !== version.model_version_id;
  if (!hasControl || margin >= 1 || policy.kind === "demo") return null;
  return { required: margin, known: shadowWorseByAtMost(shadow, alpha) };
}

function boundCriterion(
  facts: Pick<GateFacts, "version" | "policy" | "production">,
  shadow: ShadowEvidence,
): UnmetCriterion | null {
  const bound = boundOnShadow(facts, shadow);
  if (bound === null || (bound.known !== null && bound.known <= bound.required)) return null;
  const { requests, errors, production_errors } = shadow;
  const looksFine = errors - production_errors < bound.required * requests;
  const seen =
    bound.known === null ? "no bound is known yet" : `worse by at most ${percent(bound.known)} is known`;
  return unmet(
    looksFine ? "shadow_bound" : "shadow_worse_by",
    `worse than production by at most ${percent(bound.required)}`,
    bound.known === null ? "unknown" : percent(bound.known),
    `It is not excluded yet that the shadow is worse than production by ${percent(bound.required)}: of ${requests} mirrored requests it failed ${errors} and production ${production_errors}, and ${seen}.${looksFine ? " More requests can show it." : ""}`,
  );
}

/** The fewest pairs that say something about how often two models disagree. */
const FEWEST_PAIRS = 100;

function disagreementCriterion(policy: GatePolicy, shadow: ShadowEvidence): UnmetCriterion | null {
  const bound = policy.maximum_shadow_disagreement;
  if (bound === null) return null;
  const comparison = shadow.comparison ?? nothingCompared;
  const required = `at most ${bound} of at least ${FEWEST_PAIRS} pairs`;
  const found = describeComparison(comparison);
  if (comparison.pairs >= FEWEST_PAIRS && disagreementRate(comparison) <= bound) return null;
  return unmet(
    "shadow_disagreement",
    required,
    `${comparison.disagreements} of ${comparison.pairs}`,
    `${found[0]?.toUpperCase()}${found.slice(1)}; the policy asks for ${required}.`,
  );
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
