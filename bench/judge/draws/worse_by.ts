import type { Tally } from "./figures.ts";
import { type Bets, logAdd, NOTHING, stakeAt } from "./experts.ts";

/**
 * An upper bound, valid at any number of looks, of how much worse the candidate is: of the answers that the baseline gets
 * right, the share that the candidate fails.
 *
 * For each such share d an e-process against "in each stretch the candidate fails p + (1 - p) d or more, where the baseline
 * fails p": the stretches' e-variables bet that both fail alike, at the rate `r` of the answers before, against the point
 * of that hypothesis that is nearest to the bet. The hypothesis is convex, so that this is an e-variable for each of its
 * points, whatever p is and however it changes: Turner, Gruenwald, "Exact Anytime-valid Confidence Intervals for
 * Contingency Tables and Beyond" (2023), theorem 1.
 */
export const WORSE_BY: readonly number[] = [
  0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75,
];

export const nothingExcluded: Bets = { blocks: 0, unstaked: 1, wealth: [WORSE_BY.map(() => NOTHING)] };

/** More evidence than what excludes a share is not kept, so that a long good past hides nobody who turns bad. */
const KEPT_BEYOND = 2;

interface Stretch {
  candidate: Tally;
  baseline: Tally;
}

export function exclude(before: Bets, stretch: Stretch, likelyRate: number, alpha: number): Bets {
  const most = KEPT_BEYOND - Math.log(alpha);
  const stake = stakeAt(before.blocks + 1);
  const wealth = WORSE_BY.map((worse, index) => {
    const staked = logAdd(before.wealth[0]?.[index] ?? NOTHING, Math.log(stake));
    return Math.min(most, Math.max(NOTHING, staked + logLikeness(stretch, likelyRate, worse)));
  });
  return { blocks: before.blocks + 1, unstaked: Math.max(0, before.unstaked - stake), wealth: [wealth] };
}

/** The smallest share that is beyond doubt too high now; null while none is. */
export function worseByAtMost({ wealth, unstaked }: Bets, alpha: number): number | null {
  const logUnstaked = Math.log(Math.max(unstaked, Number.MIN_VALUE));
  const logE = (index: number) => logAdd(logUnstaked, wealth[0]?.[index] ?? NOTHING);
  return WORSE_BY.find((_, index) => logE(index) >= -Math.log(alpha)) ?? null;
}

function logLikeness({ candidate, baseline }: Stretch, rate: number, worse: number): number {
  const nearest = nearestRate(candidate.requests, baseline.requests, rate, worse);
  const ofCandidate = nearest + (1 - nearest) * worse;
  return logRatio(candidate, rate, ofCandidate) + logRatio(baseline, rate, nearest);
}

function logRatio({ requests, errors }: Tally, rate: number, other: number): number {
  return errors * Math.log(rate / other) + (requests - errors) * (Math.log1p(-rate) - Math.log1p(-other));
}

/**
 * The baseline's rate x of the hypothesis for which n KL(r, x + (1 - x) worse) + m KL(r, x) is least. There the slope is 0,
 * (n + m) c x = r (n x + m c) with c = x + (1 - x) worse, of whose two roots one is positive.
 */
function nearestRate(n: number, m: number, rate: number, worse: number): number {
  const kept = 1 - worse;
  const square = (n + m) * kept;
  const linear = (n + m) * worse - rate * (n + m * kept);
  const constant = -rate * m * worse;
  const root = (-linear + Math.sqrt(linear * linear - 4 * square * constant)) / (2 * square);
  return Math.min(1 - 1e-12, Math.max(1e-12, root));
}
