import { highestRate } from "../../../src/agents/model_deployer/domain/error_evidence.ts";
import type { Tally } from "./figures.ts";
import { boundNear, slowerThan } from "./signals.ts";
import type { Answers, Weighted } from "./state.ts";

/**
 * Whether a candidate that has all traffic looks worse than its baseline did before. No control answers meanwhile, so that
 * this condemns nobody: it asks for a challenge, in which the warm baseline gets a share back.
 *
 * Page's cumulative sums ("Continuous Inspection Schemes", 1954): logarithms of likelihood ratios that never fall below 0,
 * of some higher rates against the highest one that the baseline's answers allow.
 */
const WORSE = [0.03, 0.1, 0.3, 0.9] as const;
const SLOW_ODDS = [2.5, 10] as const;
const SLOW_QUANTILE = 0.9;

export const noSuspicion: number[] = [...WORSE, ...SLOW_ODDS].map(() => 0);

/** Of cumulative sums; a baseline's rate varies by chance as well, so that a challenge now and then is for nothing. */
const SUSPICIOUS = 4;
/** What goes beyond is forgotten, so that suspicion ends soon after its reason. */
const KEPT = 2 * SUSPICIOUS;
/** How likely the baseline's rate is higher than the bound that is made of its answers. */
const BOUND_ALPHA = 0.003;

export function suspect(
  before: readonly number[],
  known: Weighted,
  answers: Answers,
  floor: number,
): number[] {
  const allowed = Math.min(0.999, highestRate(known, BOUND_ALPHA) + floor);
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

export const isSuspicious = (suspicion: readonly number[]): boolean => Math.max(...suspicion) >= SUSPICIOUS;

/** Of the answers that the baseline gets right, the largest share that the candidate may well fail; 0 where it only seems slow. */
export function suspectedShare(suspicion: readonly number[]): number {
  const most = Math.max(...suspicion);
  return WORSE.findLast((_, index) => suspicion[index] === most) ?? 0;
}

/** The reason for a challenge is gone. */
export const isAllayed = (suspicion: readonly number[]): boolean => Math.max(...suspicion) < SUSPICIOUS / 2;

function logRatio({ requests, errors }: Tally, rate: number, other: number): number {
  return errors * Math.log(rate / other) + (requests - errors) * (Math.log1p(-rate) - Math.log1p(-other));
}
