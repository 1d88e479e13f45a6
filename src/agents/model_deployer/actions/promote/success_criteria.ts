import type { Criterion, Experiment, Metrics } from "../../domain/entities.ts";
import type { UnmetCriterion } from "../../domain/plan.ts";

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

export function unmet(
  criterion: string,
  required: string,
  observed: string,
  sentence: string,
): UnmetCriterion {
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

/** Null where the experiment asks for any metric: one that is no classifier has no AUC. */
function missingCriteria({ experiment_id, criteria = [] }: Experiment): UnmetCriterion | null {
  if (criteria.length > 0) return null;
  return unmet(
    "minimum_auc",
    "set by the experiment",
    "not set",
    `Experiment ${experiment_id} sets no minimum_auc and no other criterion; set one before anything goes to production, as by \`experiments set ${experiment_id} --criterion "rmse<=0.3"\`.`,
  );
}

/** Of any metric, by the very name under which the run logged it. */
function unmetCriterion(metrics: Metrics, { metric, bound, direction }: Criterion): UnmetCriterion | null {
  const required = `${direction === "at_least" ? "at least" : "at most"} ${bound}`;
  const value = metrics[metric];
  if (value === undefined || !Number.isFinite(value)) {
    return unmet(
      metric,
      required,
      "not logged",
      `${metric} must be ${required}, and the run did not log it.`,
    );
  }
  const met = direction === "at_least" ? value >= bound : value <= bound;
  return met
    ? null
    : unmet(metric, required, String(value), `${metric} is ${value} and must be ${required}.`);
}

/** Of the experiment's own criteria for a run's metrics. */
export function unmetSuccessCriteria(experiment: Experiment, metrics: Metrics): UnmetCriterion[] {
  return successCriteria(experiment, metrics).filter((criterion) => criterion !== null);
}

function successCriteria(experiment: Experiment, metrics: Metrics): (UnmetCriterion | null)[] {
  const { minimum_auc, minimum_precision_at_k, maximum_fpr, criteria = [] } = experiment;
  return [
    minimum_auc === null
      ? missingCriteria(experiment)
      : metricCriterion(metrics, "auc", minimum_auc, "at least"),
    ...criteria.map((criterion) => unmetCriterion(metrics, criterion)),
    minimum_precision_at_k === null
      ? null
      : metricCriterion(metrics, "precision_at_k", minimum_precision_at_k, "at least"),
    maximum_fpr === null ? null : metricCriterion(metrics, "fpr", maximum_fpr, "at most"),
  ];
}
