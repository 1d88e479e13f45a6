import type { Experiment, GatePolicy, Metrics, ModelVersion, ShadowEvidence } from "./entities.ts";
import type { Plan, UnmetCriterion } from "./plan.ts";
import { describeComparison, disagreementRate, nothingCompared } from "./shadow_comparison.ts";

export interface GateFacts {
  version: ModelVersion;
  experiment: Experiment;
  policy: GatePolicy;
  /** Null when the version has no active shadow that the router mirrors to. */
  shadow: ShadowEvidence | null;
}

/** Everything that the gate looks at, by name, for whoever approves. */
export function gateEvidence({ version, experiment, policy, shadow }: GateFacts): Plan["evidence"] {
  const { minimum_auc, minimum_precision_at_k, maximum_fpr } = experiment;
  return {
    metrics: version.metrics,
    success_criteria: { minimum_auc, minimum_precision_at_k, maximum_fpr },
    gate_policy: policy,
    shadow,
  };
}

/** The names under which a metric is logged, the most specific first: the held-out test split counts before others. */
const METRIC_NAMES = {
  auc: ["test_auc", "test_roc_auc", "auc_roc", "roc_auc", "auc"],
  precision_at_k: ["test_precision_at_k", "precision_at_k"],
  fpr: ["test_fpr", "fpr", "false_positive_rate"],
} as const;

export function readMetric(
  metrics: Metrics,
  metric: keyof typeof METRIC_NAMES,
): { name: string; value: number } | null {
  for (const name of METRIC_NAMES[metric]) {
    const value = metrics[name];
    if (value !== undefined && Number.isFinite(value)) return { name, value };
  }
  return null;
}

function unmet(criterion: string, required: string, observed: string, sentence: string): UnmetCriterion {
  return { criterion, required, observed, sentence };
}

function metricCriterion(
  metrics: Metrics,
  metric: keyof typeof METRIC_NAMES,
  bound: number,
  direction: "at least" | "at most",
): UnmetCriterion | null {
  const found = readMetric(metrics, metric);
  const required = `${direction} ${bound}`;
  if (found === null) {
    const names = METRIC_NAMES[metric].join(", ");
    return unmet(
      metric,
      required,
      "not logged",
      `${metric} must be ${required}, and the run logged none of ${names}.`,
    );
  }
  const met = direction === "at least" ? found.value >= bound : found.value <= bound;
  if (met) return null;
  return unmet(
    metric,
    required,
    String(found.value),
    `${found.name} is ${found.value} and must be ${required}.`,
  );
}

function successCriteria({ version, experiment }: GateFacts): (UnmetCriterion | null)[] {
  const { minimum_auc, minimum_precision_at_k, maximum_fpr } = experiment;
  return [
    minimum_auc === null
      ? unmet(
          "minimum_auc",
          "set by the experiment",
          "not set",
          `Experiment ${experiment.experiment_id} sets no minimum_auc; set one before anything goes to production.`,
        )
      : metricCriterion(version.metrics, "auc", minimum_auc, "at least"),
    minimum_precision_at_k === null
      ? null
      : metricCriterion(version.metrics, "precision_at_k", minimum_precision_at_k, "at least"),
    maximum_fpr === null ? null : metricCriterion(version.metrics, "fpr", maximum_fpr, "at most"),
  ];
}

/** Cut, never rounded up: who is seconds short of 24 h has not had them. */
function hoursText(hours: number): string {
  if (hours >= 1) return `${(Math.floor(hours * 100) / 100).toFixed(2)} h`;
  return `${(hours * 3600).toFixed(1)} s`;
}

function shadowCriteria({ version, policy, shadow }: GateFacts): (UnmetCriterion | null)[] {
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
    disagreementCriterion(policy, shadow),
  ];
}

/** A shadow that answered without its latency having been measured is not known to be fast enough. */
function latencyCriterion(policy: GatePolicy, { requests, p99_ms }: ShadowEvidence): UnmetCriterion | null {
  const bound = `${policy.maximum_shadow_p99_ms} ms`;
  const fails = (observed: string, sentence: string) =>
    unmet("shadow_p99_ms", `at most ${bound}`, observed, sentence);
  if (p99_ms === null) {
    if (requests === 0) return null;
    return fails(
      "not measured",
      `The router has measured no p99 over the shadow's ${requests} requests, and it may be ${bound}.`,
    );
  }
  if (p99_ms <= policy.maximum_shadow_p99_ms) return null;
  return fails(`${p99_ms} ms`, `The shadow's p99 is ${p99_ms} ms and may be ${bound}.`);
}

/** Fewer pairs than this say nothing of how often two models disagree. */
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

/** Everything that stands between a version and production: all of it, never only the first. */
export function unmetProductionCriteria(facts: GateFacts): UnmetCriterion[] {
  return [...successCriteria(facts), ...shadowCriteria(facts)].filter((criterion) => criterion !== null);
}
