import type { Tally } from "../domain/evidence/figures.ts";
import { type Bets, noBets } from "../domain/evidence/bets.ts";
import type { BothSides, JudgeState } from "../domain/evidence/judgement.ts";
import { withoutMarked } from "./counts/answers_carried_over.ts";
import { logAdd, NOTHING, stakeAt } from "./statistics/experts.ts";
import { logRatio } from "./statistics/highest_rate.ts";

/**
 * An upper bound, valid at any number of looks, of how much worse the candidate is: of the answers that the baseline gets
 * right, the share that the candidate fails.
 *
 * For each such share d an e-process against "in each block the candidate fails p + (1 - p) d or more, where the baseline
 * fails p": the blocks' e-variables bet on the rates of the answers before, against the point of that hypothesis that is
 * nearest to the bet. The hypothesis is convex, so that this is an e-variable for each of its points, whatever p is and
 * however it changes: Turner, Gruenwald, "Exact Anytime-valid Confidence Intervals for Contingency Tables and Beyond"
 * (2023), theorem 1. A bet that lies in the hypothesis says nothing.
 */
export const WORSE_BY: readonly number[] = [
  0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75,
];

export const nothingExcluded: JudgeState["excluded"] = { bets: noBets, carried: 0 };

/**
 * Evidence beyond this multiple of the required one is cut, so that a long good past does not hide a candidate that
 * turns bad.
 */
const KEPT_BEYOND = 2;

export function exclude(
  { bets, carried }: JudgeState["excluded"],
  block: BothSides,
  likely: Rates,
  alpha: number,
): JudgeState["excluded"] {
  const baseline = withoutMarked(block.baseline, carried);
  const compared = { candidate: block.candidate, baseline: baseline.kept };
  const most = KEPT_BEYOND - Math.log(alpha);
  const stake = stakeAt(bets.blocks + 1);
  const wealth = WORSE_BY.map((worse, index) => {
    const staked = logAdd(bets.wealth[0]?.[index] ?? NOTHING, Math.log(stake));
    return Math.min(most, Math.max(NOTHING, staked + logLikeness(compared, likely, worse)));
  });
  const unstaked = Math.max(0, bets.unstaked - stake);
  return { bets: { blocks: bets.blocks + 1, unstaked, wealth: [wealth] }, carried: baseline.carried };
}

/** The failure rates of both sides that a bet assumes. */
export interface Rates {
  candidate: number;
  baseline: number;
}

interface ComparedAnswers {
  candidate: Tally;
  baseline: Tally;
}

/** The smallest share that is excluded beyond doubt now; null while none is. */
export function worseByAtMost({ wealth, unstaked }: Bets, alpha: number): number | null {
  const logUnstaked = Math.log(Math.max(unstaked, Number.MIN_VALUE));
  const logE = (index: number) => logAdd(logUnstaked, wealth[0]?.[index] ?? NOTHING);
  return WORSE_BY.find((_, index) => logE(index) >= -Math.log(alpha)) ?? null;
}

function logLikeness({ candidate, baseline }: ComparedAnswers, likely: Rates, worse: number): number {
  if (likely.candidate >= failing(likely.baseline, worse)) return 0;
  const nearest = nearestRate(candidate.requests, baseline.requests, likely, worse);
  const ofCandidate = logRatio(candidate, likely.candidate, failing(nearest, worse));
  return ofCandidate + logRatio(baseline, likely.baseline, nearest);
}

/**
 * The failure rate of a candidate that fails this share of the answers which the baseline, at this rate, gets right.
 */
export const failing = (rate: number, worse: number): number => rate + (1 - rate) * worse;

/**
 * The baseline's rate x of the hypothesis for which n KL(a, c) + m KL(b, x) is least, with a and b the likely rates and
 * c = x + (1 - x) worse. There the slope is 0, n x (c - a) + m c (x - b) = 0, of whose two roots one is positive.
 */
export function nearestRate(n: number, m: number, likely: Rates, worse: number): number {
  const kept = 1 - worse;
  const square = (n + m) * kept;
  const linear = n * (worse - likely.candidate) + m * (worse - kept * likely.baseline);
  const constant = -m * worse * likely.baseline;
  const root = (-linear + Math.sqrt(linear * linear - 4 * square * constant)) / (2 * square);
  return Math.min(1 - 1e-12, Math.max(1e-12, root));
}
