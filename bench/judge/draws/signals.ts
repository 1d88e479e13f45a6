import { LATENCY_BOUNDS_MS } from "../../../src/agents/model_deployer/domain/rollout.ts";
import type { Expert } from "./experts.ts";

/**
 * The signals that can fail a candidate. All share one alpha: a signal fails it where its evidence reaches
 * 1 / (alpha * share), and the shares sum to 1 at most.
 */
export const ERRORS_SHARE = 0.8;
export const LATENCY_SHARE = 0.1;

/** Odds that differ a little are told only slowly, so they get most of the stake; "it fails whatever it is asked" needs little. */
export const ERROR_EXPERTS: readonly Expert[] = [
  { odds_ratio: 2.8, share: 0.66 },
  { odds_ratio: 8, share: 0.24 },
  { odds_ratio: 60, share: 0.07 },
  { odds_ratio: 1e6, share: 0.03 },
];

export const LATENCY_EXPERTS: readonly Expert[] = [
  { odds_ratio: 2.2, share: 0.5 },
  { odds_ratio: 10, share: 0.5 },
];

/** How often each side takes longer than these quantiles of the baseline's newest answers. */
export const QUANTILES = [
  { quantile: 0.5, share: 0.4 },
  { quantile: 0.9, share: 0.4 },
  { quantile: 0.99, share: 0.2 },
] as const;

const sum = (counts: readonly number[]): number => counts.reduce((all, count) => all + count, 0);

/** The index of the bound that is nearest to the quantile; null without answers, or where all bounds are below it. */
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
