import { z } from "zod";
import { logMixtureEvidence } from "./bernoulli_evidence.ts";

/** What a shadow predicted beside production on the same requests; sums over all pairs that both answered. */
export const shadowComparisonSchema = z.strictObject({
  pairs: z.int().min(0),
  /** Pairs whose predictions differ: labels that are not the same, numbers that are over 1 % apart. */
  disagreements: z.int().min(0),
  /** Pairs in which both sides gave a score. */
  scored: z.int().min(0),
  /** Of those, in how many the shadow's score was the higher, or the lower one. */
  higher: z.int().min(0),
  lower: z.int().min(0),
  /** The shadow's score less production's. */
  sum_difference: z.number(),
  sum_absolute_difference: z.number().min(0),
});
export type ShadowComparison = z.infer<typeof shadowComparisonSchema>;

export const nothingCompared: ShadowComparison = {
  pairs: 0,
  disagreements: 0,
  scored: 0,
  higher: 0,
  lower: 0,
  sum_difference: 0,
  sum_absolute_difference: 0,
};

export interface Predicted {
  prediction: unknown;
  score: number | null;
}

export interface Pair {
  shadow: Predicted;
  production: Predicted;
}

/** A prediction as a database can keep it: NUL and half of a surrogate pair, which no text of its may hold, become U+FFFD. */
export function keepable(prediction: z.core.util.JSONType): z.core.util.JSONType {
  const text = JSON.stringify(prediction);
  const kept = text.replace(/\\(?:u0000|ud[89a-f][0-9a-f]{2}|.)/g, (escape) =>
    /^\\u(?:0000|d)/.test(escape) ? "\ufffd" : escape,
  );
  return kept === text ? prediction : z.json().parse(JSON.parse(kept));
}

/** Of the larger one's size: two regressions never give the same digits. */
const SAME_NUMBER = 0.01;

export function compare(before: ShadowComparison, pairs: readonly Pair[]): ShadowComparison {
  const after = { ...before };
  for (const { shadow, production } of pairs) {
    after.pairs += 1;
    if (!agrees(shadow.prediction, production.prediction)) after.disagreements += 1;
    if (shadow.score === null || production.score === null) continue;
    const difference = shadow.score - production.score;
    // Scores that no sum can hold are as good as none.
    if (!Number.isFinite(after.sum_absolute_difference + Math.abs(difference))) continue;
    after.scored += 1;
    if (difference > 0) after.higher += 1;
    if (difference < 0) after.lower += 1;
    after.sum_difference += difference;
    after.sum_absolute_difference += Math.abs(difference);
  }
  return after;
}

/** Whole numbers are labels and must be the same. */
function agrees(a: unknown, b: unknown): boolean {
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((value, index) => agrees(value, b[index]));
  }
  const areMeasures =
    typeof a === "number" && typeof b === "number" && !(Number.isInteger(a) && Number.isInteger(b));
  if (areMeasures) return Math.abs(a - b) <= SAME_NUMBER * Math.max(Math.abs(a), Math.abs(b));
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}

export const disagreementRate = ({ pairs, disagreements }: ShadowComparison): number =>
  pairs === 0 ? 0 : disagreements / pairs;

/**
 * Evidence that the shadow's scores lean to one side: the paired sign test at any number of looks. Each pair that differs is
 * as likely higher as lower while they do not. The e-value; at 1/alpha they do, beyond doubt at alpha.
 */
export function leaning({ higher, lower }: ShadowComparison): number {
  return Math.exp(Math.min(logMixtureEvidence(higher, higher + lower, 0.5), 700));
}

const percent = (value: number): string => `${(100 * value).toFixed(2)} %`;

/** One sentence for a refusal, an approval or a history. */
export function describeComparison(comparison: ShadowComparison): string {
  const { pairs, disagreements, scored, sum_difference, sum_absolute_difference } = comparison;
  const agreement = `shadow and production disagreed in ${disagreements} of ${pairs} pairs (${percent(disagreementRate(comparison))})`;
  if (scored === 0) return agreement;
  const mean = (sum_difference / scored).toFixed(4);
  const spread = (sum_absolute_difference / scored).toFixed(4);
  return `${agreement}, their scores by ${mean} on average and ${spread} in size, e-value ${leaning(comparison).toPrecision(3)}`;
}
