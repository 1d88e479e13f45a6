import type { ModelVersion, ShadowEvidence } from "../../domain/entities.ts";
import type { GatePolicy } from "../../domain/models/gate_policy.ts";
import { nothingCompared } from "../../domain/evidence/shadow_comparison.ts";
import type { UnmetCriterion } from "../../domain/plan.ts";
import { defaultJudgeSettings, settingsOver } from "../../domain/traffic/rollout_plan.ts";
import { shadowWorseByAtMost } from "../../judge/evidence/shadow_bound.ts";
import { describeComparison, disagreementRate } from "../../judge/evidence/shadow_pairs.ts";
import { percent } from "../../judge/sentences.ts";
import { outcomeCriteria } from "./outcome_criteria.ts";
import { unmet } from "./success_criteria.ts";
import { hoursText } from "../../planning/wording/shadow_hours.ts";

export interface ShadowFacts {
  version: ModelVersion;
  policy: GatePolicy;
  /** Null when the version has no active shadow that the router mirrors to. */
  shadow: ShadowEvidence | null;
  /** The version at production, which the shadow was compared with; null without one. */
  production: Pick<ModelVersion, "model_version_id"> | null;
}

/** Each criterion that a version must have met as a shadow; null is met. */
export function shadowCriteria({
  version,
  policy,
  shadow,
  production,
}: ShadowFacts): (UnmetCriterion | null)[] {
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
  return [
    hoursCriterion(policy, shadow),
    requestsCriterion(policy, shadow),
    errorsCriterion(policy, shadow),
    latencyCriterion(policy, shadow),
    boundCriterion({ version, policy, production }, shadow),
    disagreementCriterion(policy, shadow),
    ...outcomeCriteria(policy, shadow),
  ];
}

function hoursCriterion(
  { minimum_shadow_hours: wanted }: GatePolicy,
  { hours }: ShadowEvidence,
): UnmetCriterion | null {
  if (hours >= wanted) return null;
  return unmet(
    "shadow_hours",
    `at least ${hoursText(wanted)}`,
    hoursText(hours),
    `It has been in shadow for ${hoursText(hours)} and needs ${hoursText(wanted)}; ${hoursText(wanted - hours)} remain.`,
  );
}

function requestsCriterion(
  { minimum_shadow_requests: wanted }: GatePolicy,
  { requests }: ShadowEvidence,
): UnmetCriterion | null {
  if (requests >= wanted) return null;
  return unmet(
    "shadow_requests",
    `at least ${wanted}`,
    String(requests),
    `The shadow has answered ${requests} mirrored requests and needs ${wanted}.`,
  );
}

function errorsCriterion(
  { maximum_shadow_error_rate: most }: GatePolicy,
  { requests, errors }: ShadowEvidence,
): UnmetCriterion | null {
  const rate = requests === 0 ? 0 : errors / requests;
  if (rate <= most) return null;
  return unmet(
    "shadow_error_rate",
    `at most ${most}`,
    rate.toFixed(4),
    `${errors} of ${requests} shadow requests failed; at most ${most} of them may.`,
  );
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
  { version, policy, production }: Omit<ShadowFacts, "shadow">,
  shadow: ShadowEvidence,
): { required: number; known: number | null } | null {
  const { margin, alpha } = settingsOver(defaultJudgeSettings, policy.judge);
  const hasControl = production !== null && production.model_version_id !== version.model_version_id;
  if (!hasControl || margin >= 1 || policy.kind === "demo") return null;
  return { required: margin, known: shadowWorseByAtMost(shadow, alpha) };
}

function boundCriterion(facts: Omit<ShadowFacts, "shadow">, shadow: ShadowEvidence): UnmetCriterion | null {
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
