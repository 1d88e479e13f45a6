import type { Bins } from "../../domain/evidence/compared_predictions.ts";

/** One line of a prediction log. */
export interface LoggedPrediction {
  prediction: unknown;
  score: number | null;
  answered_at?: string;
}

/** Fewer say little about how a baseline's predictions are distributed. */
const FEWEST_BEFORE = 100;
const QUANTILES = [0.1, 0.25, 0.5, 0.75, 0.9] as const;
const MOST_CLASSES = 10;
/** Numbers with more values than this are scores, others are classes. */
const MOST_VALUES_OF_CLASSES = 20;
const LONGEST_LABEL = 60;

/**
 * The score, the number or the class of a prediction; of a request with several rows its first one, for rows that came
 * together are no draws of their own. Null where it is none of these.
 */
export function valueOf({ prediction, score }: LoggedPrediction): number | string | null {
  if (score !== null) return score;
  const one: unknown = Array.isArray(prediction) ? prediction[0] : prediction;
  if (typeof one === "number") return one;
  return typeof one === "string" || typeof one === "boolean" ? String(one).slice(0, LONGEST_LABEL) : null;
}

/** Bins by the baseline's predictions before the comparison; null where they are too few, or all the same score. */
export function binsOf(before: readonly LoggedPrediction[]): Bins | null {
  const values = before.map(valueOf).filter((value) => value !== null);
  if (values.length < FEWEST_BEFORE) return null;
  const numbers = values.filter((value) => typeof value === "number");
  const areScores = numbers.length === values.length && new Set(numbers).size > MOST_VALUES_OF_CLASSES;
  if (!areScores) return { kind: "classes", labels: mostFrequent(values.map(String)) };
  const sorted = numbers.toSorted((a, b) => a - b);
  const bounds = QUANTILES.map((quantile) => sorted[Math.floor(quantile * sorted.length)] ?? 0);
  return { kind: "scores", bounds: [...new Set(bounds)] };
}

function mostFrequent(labels: readonly string[]): string[] {
  const counts = new Map<string, number>();
  for (const label of labels) counts.set(label, (counts.get(label) ?? 0) + 1);
  return [...counts]
    .sort(([, a], [, b]) => b - a)
    .slice(0, MOST_CLASSES)
    .map(([label]) => label);
}

/** The bin of answers without any value, such as null, and of words among scores. */
export const binOfNone = (bins: Bins): number =>
  (bins.kind === "scores" ? bins.bounds.length : bins.labels.length) + 1;

export function binOf(value: number | string | null, bins: Bins): number {
  if (value === null) return binOfNone(bins);
  if (bins.kind === "scores") {
    return typeof value === "number" ? bins.bounds.filter((bound) => value > bound).length : binOfNone(bins);
  }
  const index = bins.labels.indexOf(String(value));
  return index === -1 ? bins.labels.length : index;
}
