import { eValue } from "../signals.ts";
import { z } from "zod";
import { logMixtureEvidence } from "../statistics/bernoulli_evidence.ts";
import type { Pair, ShadowComparison } from "../../domain/evidence/shadow_comparison.ts";

/**
 * A prediction that a database can store: NUL and half of a surrogate pair, which its texts may not hold, become
 * U+FFFD.
 */
export function storablePrediction(prediction: z.core.util.JSONType): z.core.util.JSONType {
  const text = JSON.stringify(prediction);
  const kept = text.replace(/\\(?:u0000|ud[89a-f][0-9a-f]{2}|.)/g, (escape) =>
    /^\\u(?:0000|d)/.test(escape) ? "\ufffd" : escape,
  );
  return kept === text ? prediction : z.json().parse(JSON.parse(kept));
}

/** Relative to the larger number: two regressions never give the same digits. */
const SAME_NUMBER = 0.01;

export function compare(before: ShadowComparison, pairs: readonly Pair[]): ShadowComparison {
  const after = { ...before };
  for (const { shadow, production } of pairs) {
    after.pairs += 1;
    if (!agrees(shadow.prediction, production.prediction)) after.disagreements += 1;
    if (shadow.score === null || production.score === null) continue;
    const difference = shadow.score - production.score;
    // A pair whose scores overflow the sum counts as one without scores.
    if (!Number.isFinite(after.sum_absolute_difference + Math.abs(difference))) continue;
    after.scored += 1;
    if (difference > 0) after.higher += 1;
    if (difference < 0) after.lower += 1;
    after.sum_difference += difference;
    after.sum_absolute_difference += Math.abs(difference);
  }
  return after;
}

/** Whether two predictions are the same: whole numbers are labels, others may be 1 % apart. */
export function agrees(a: unknown, b: unknown): boolean {
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
 * The e-value against "the shadow's scores lean to neither side", by a paired sign test at any number of looks: without
 * a lean each differing pair is as likely higher as lower. At 1/alpha a lean is shown, with error probability alpha.
 */
export function leaning({ higher, lower }: ShadowComparison): number {
  return eValue(logMixtureEvidence(higher, higher + lower, 0.5));
}

const percent = (value: number): string => `${(100 * value).toFixed(2)} %`;

/** One sentence for a refusal, an approval or a history. */
export function describeComparison(comparison: ShadowComparison): string {
  const { pairs, disagreements, scored, sum_difference, sum_absolute_difference, repeated_ids } = comparison;
  const left = repeated_ids > 0 ? `, ${repeated_ids} answers under repeated request ids left out` : "";
  const agreement = `shadow and production disagreed in ${disagreements} of ${pairs} pairs (${percent(disagreementRate(comparison))})${left}`;
  if (scored === 0) return agreement;
  const mean = (sum_difference / scored).toFixed(4);
  const spread = (sum_absolute_difference / scored).toFixed(4);
  return `${agreement}, their scores by ${mean} on average and ${spread} in size, e-value ${leaning(comparison).toPrecision(3)}`;
}
