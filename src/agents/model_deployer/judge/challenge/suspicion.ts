import type { Answers, Tally } from "../../domain/evidence/figures.ts";
import type { Weighted } from "../../domain/evidence/judgement.ts";
import { highestRate, logRatio } from "../statistics/highest_rate.ts";
import { boundNear, slowerThan } from "../signals.ts";

/**
 * Whether a candidate with all traffic looks worse than its baseline did before. Without a control this fails no
 * candidate: it starts a challenge, in which the warm baseline gets a share again. Page's cumulative sums ("Continuous
 * Inspection Schemes", 1954): logarithms of likelihood ratios, never below 0, of some higher rates against the highest
 * one that the baseline's answers allow.
 */
const WORSE = [0.03, 0.1, 0.3, 0.9] as const;
const SLOW_ODDS = [2.5, 10] as const;
const SLOW_QUANTILE = 0.9;

/**
 * The cumulative sum that starts a challenge; a baseline's rate also varies by chance, so that some challenges are
 * needless.
 */
const SUSPICIOUS = 4;
/** Larger sums are cut to this, so that suspicion ends soon after its cause. */
const KEPT = 2 * SUSPICIOUS;
/** The probability that the baseline's rate exceeds the bound drawn from its answers. */
const BOUND_ALPHA = 0.003;
/** Stands for an unknown baseline, which is assumed to fail hardly ever. */
const UNKNOWN: Tally = { requests: 200, errors: 0 };

export function suspect(
  before: readonly number[],
  known: Weighted,
  answers: Answers,
  floor: number,
): number[] {
  const allowed = Math.min(0.999, highestRate(known.requests > 0 ? known : UNKNOWN, BOUND_ALPHA) + floor);
  const ofErrors = WORSE.map((worse) => logRatio(answers, allowed + (1 - allowed) * worse, allowed));
  const steps = [...ofErrors, ...slowSteps(known, answers)];
  return steps.map((step, index) => Math.min(KEPT, Math.max(0, (before[index] ?? 0) + step)));
}

function slowSteps(known: Weighted, answers: Answers): number[] {
  const bound = boundNear(known.latency, SLOW_QUANTILE);
  if (bound === null) return SLOW_ODDS.map(() => 0);
  const counted = (counts: readonly number[]): Tally => ({
    requests: counts.reduce((sum, count) => sum + count, 0),
    errors: slowerThan(counts, bound),
  });
  const usual = Math.min(0.999, highestRate(counted(known.latency), BOUND_ALPHA));
  const slow = counted(answers.latency);
  return SLOW_ODDS.map((odds) => logRatio(slow, (odds * usual) / (1 - usual + odds * usual), usual));
}

export const isSuspicious = (suspicion: readonly number[]): boolean =>
  Math.max(0, ...suspicion) >= SUSPICIOUS;

/**
 * The largest plausible share of the answers that the baseline gets right and the candidate fails; 0 where it only
 * seems slow.
 */
export function suspectedShare(suspicion: readonly number[]): number {
  const most = Math.max(0, ...suspicion);
  return WORSE.findLast((_, index) => suspicion[index] === most) ?? 0;
}

/** Whether the suspicion that started a challenge is gone. */
export const isAllayed = (suspicion: readonly number[]): boolean =>
  Math.max(0, ...suspicion) < SUSPICIOUS / 2;
