import { LATENCY_BOUNDS_MS } from "../domain/evidence/figures.ts";
import type { JudgeSettings, Signal } from "../domain/evidence/judgement.ts";
import type { Expert } from "./statistics/experts.ts";

/**
 * The signals that can fail a candidate. All share one alpha: a signal fails it where its evidence reaches
 * 1 / (alpha * share), and the shares sum to 1 at most.
 */
export const SHARES: Readonly<Record<Signal, number>> = { errors: 0.8, latency: 0.1, client_errors: 0.1 };

/** The share of late outcomes, taken from that of errors where a rollout compares them. */
export const OUTCOMES_SHARE = 0.1;

/** The share of predictions, taken from that of errors where a shift of them fails a candidate. */
export const PREDICTIONS_SHARE = 0.1;

/** The share of all metrics of the team together, taken from that of errors where a rollout names some. */
export const METRICS_SHARE = 0.1;

export function sharesOf({
  outcomes,
  predictions,
  metrics,
}: Pick<JudgeSettings, "outcomes" | "predictions" | "metrics">): Readonly<Record<Signal, number>> {
  const ofOutcomes = outcomes === null ? 0 : OUTCOMES_SHARE;
  const ofPredictions = (predictions?.maximum_shift ?? null) === null ? 0 : PREDICTIONS_SHARE;
  const ofMetrics = Object.keys(metrics).length === 0 ? 0 : METRICS_SHARE;
  return { ...SHARES, errors: SHARES.errors - ofOutcomes - ofPredictions - ofMetrics };
}

/**
 * Small differences of the odds take long to show, so they get most of the stake; a candidate that fails everything
 * needs little.
 */
export const ERROR_EXPERTS: readonly Expert[] = [
  { odds_ratio: 2.8, share: 0.66 },
  { odds_ratio: 8, share: 0.24 },
  { odds_ratio: 60, share: 0.07 },
  { odds_ratio: 1e6, share: 0.03 },
];

/**
 * Callers' own mistakes come in bursts and say little; a model that refuses requests which the other one answers says
 * much.
 */
export const CLIENT_ERROR_EXPERTS: readonly Expert[] = [
  { odds_ratio: 4, share: 0.4 },
  { odds_ratio: 30, share: 0.3 },
  { odds_ratio: 1e6, share: 0.3 },
];

export const LATENCY_EXPERTS: readonly Expert[] = [
  { odds_ratio: 2.2, share: 0.5 },
  { odds_ratio: 10, share: 0.5 },
];

/** The quantiles of the baseline's newest answers whose exceeding is compared. */
export const QUANTILES = [
  { signal: "latency_p50", quantile: 0.5, share: 0.4 },
  { signal: "latency_p90", quantile: 0.9, share: 0.4 },
  { signal: "latency_p99", quantile: 0.99, share: 0.2 },
] as const;

const sum = (counts: readonly number[]): number => counts.reduce((all, count) => all + count, 0);

/** The index of the bound that is nearest to the quantile; null without answers. */
export function boundNear(counts: readonly number[], quantile: number): number | null {
  const all = sum(counts);
  if (all === 0) return null;
  let above = all;
  let nearest: { index: number; distance: number } | null = null;
  for (const index of LATENCY_BOUNDS_MS.keys()) {
    above -= counts[index] ?? 0;
    const distance = Math.abs(Math.log((above + 0.5) / all) - Math.log(1 - quantile));
    if (nearest === null || distance < nearest.distance) nearest = { index, distance };
  }
  return nearest?.index ?? null;
}

/** Answers that took longer than the bound. */
export const slowerThan = (counts: readonly number[], bound: number): number => sum(counts.slice(bound + 1));

/** An estimate in milliseconds, between the bounds of its bin by their ratio; null without answers. */
export function quantileOf(counts: readonly number[], quantile: number): number | null {
  const all = sum(counts);
  if (all === 0) return null;
  const rank = quantile * all;
  let below = 0;
  for (const [index, bound] of LATENCY_BOUNDS_MS.entries()) {
    const count = counts[index] ?? 0;
    if (below + count >= rank) {
      const from = index === 0 ? bound / 2 : (LATENCY_BOUNDS_MS[index - 1] ?? bound / 2);
      return from * (bound / from) ** ((rank - below) / Math.max(count, 1));
    }
    below += count;
  }
  return LATENCY_BOUNDS_MS.at(-1) ?? null;
}

/** The evidence by its logarithm, cut to e^700: a number above 1.8e308 is infinite, which JSON cannot hold. */
export const eValue = (log: number): number => Math.exp(Math.min(log, 700));
