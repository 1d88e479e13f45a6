import type { JudgeSettings, JudgeState } from "../domain/evidence/judgement.ts";
import { likelyRates } from "./comparison.ts";
import { divergence, logRatio } from "./statistics/highest_rate.ts";
import { ERROR_EXPERTS, SHARES } from "./signals.ts";
import { failing, nearestRate, type Rates, WORSE_BY } from "./worse_by.ts";

/**
 * The expected number of the candidate's answers until being worse by the margin is excluded, for a candidate that is
 * no worse.
 * @param rate how often the baseline fails
 * @param share the candidate's part of the traffic, between 0 and 1
 */
export function answersToExclude(
  rate: number,
  share: number,
  { margin: asked, alpha }: JudgeSettings,
): number {
  // The bound takes these values alone, so that a margin between two of them waits for the lower one.
  const margin = asked >= 1 ? asked : (WORSE_BY.findLast((worse) => worse <= asked) ?? asked);
  if (margin >= 1 || share <= 0 || share >= 1) return 0;
  const others = (1 - share) / share;
  const likely = Math.min(Math.max(rate, 1e-6), 1 - 1e-6);
  const nearest = nearestRate(1, others, { candidate: likely, baseline: likely }, margin);
  const growth = divergenceOf(likely, failing(nearest, margin)) + others * divergenceOf(likely, nearest);
  return Math.ceil((-Math.log(alpha) + STAKE) / growth);
}

/**
 * The smallest share of the answers that a candidate may fail more than the baseline and is likely to be found within so
 * many answers of its own; null where failing all would not be.
 * @param rate how often the baseline fails
 * @param share the candidate's part of the traffic, between 0 and 1
 */
export function foundWithin(
  answers: number,
  rate: number,
  share: number,
  { alpha, effect_floor: floor }: JudgeSettings,
): number | null {
  const isFound = (worse: number) => answersToFind(rate, worse, share, alpha) <= answers;
  if (share <= 0 || share >= 1 || !isFound(1)) return null;
  let [missed, found] = [0, 1];
  for (let halving = 0; halving < 20; halving += 1) {
    const middle = (missed + found) / 2;
    if (isFound(middle)) found = middle;
    else missed = middle;
  }
  return Math.max(floor, found);
}

/**
 * The expected number of the candidate's answers until the quickest expert's bet suffices: what is staked on it has to
 * grow to 1 / alpha, and grows in each answer by its expected logarithm, of the large-sample form of the draw's
 * likelihood ratio at the pooled rate.
 */
function answersToFind(rate: number, worse: number, share: number, alpha: number): number {
  const baseline = Math.min(Math.max(rate, 1e-6), 1 - 1e-6);
  const candidate = Math.min(failing(baseline, worse), 1 - 1e-9);
  const pooled = share * candidate + (1 - share) * baseline;
  const needed = ERROR_EXPERTS.map(({ odds_ratio, share: stake }) => {
    const bet = ratesOfBet(pooled, share, odds_ratio);
    const growth =
      share * expectedLog(candidate, bet.candidate, pooled) +
      (1 - share) * expectedLog(baseline, bet.baseline, pooled);
    const goal = -Math.log(alpha * SHARES.errors * stake) + STAKE;
    return growth <= 0 ? Infinity : (share * goal) / growth;
  });
  return Math.min(...needed);
}

const expectedLog = (rate: number, bet: number, pooled: number): number =>
  logRatio({ requests: 1, errors: rate }, bet, pooled);

/** Both sides' rates whose odds have this ratio, and which give the pooled rate together. */
function ratesOfBet(pooled: number, share: number, oddsRatio: number): Rates {
  const candidateAt = (rate: number) => (oddsRatio * rate) / (1 - rate + oddsRatio * rate);
  let [low, high] = [0, pooled];
  for (let halving = 0; halving < 50; halving += 1) {
    const middle = (low + high) / 2;
    if (share * candidateAt(middle) + (1 - share) * middle > pooled) high = middle;
    else low = middle;
  }
  return { candidate: candidateAt(low), baseline: low };
}

/** The part of the stake that is not bet from the first block on. */
const STAKE = 0.17;

const divergenceOf = (p: number, q: number): number => (p <= q ? divergence(p, q) : divergence(1 - p, 1 - q));

/** An inconclusive verdict that waits for traffic, not for a difference to show. */
export function isShortOfTraffic(
  { lacks, state, share }: { lacks: string | null; state: JudgeState; share: number },
  settings: JudgeSettings,
): boolean {
  if (lacks === "samples") return true;
  return (
    lacks === "bound" &&
    state.candidate.requests < ENOUGH * answersToExclude(likelyRates(state).baseline, share, settings)
  );
}

/** With this multiple of the expected answers and no bound, more than traffic is missing. */
const ENOUGH = 3;
