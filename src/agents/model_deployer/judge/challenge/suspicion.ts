import type { Answers, Tally } from "../../domain/evidence/figures.ts";
import type { JudgeState, LatencyAlone, Weighted } from "../../domain/evidence/judgement.ts";
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
  {
    suspicion: before,
    recent: { baseline: known },
    latency_alone: { usual, quiet_looks },
  }: Pick<JudgeState, "suspicion" | "recent" | "latency_alone">,
  answers: Answers,
  floor: number,
): number[] {
  const allowed = Math.min(0.999, highestRate(known.requests > 0 ? known : UNKNOWN, BOUND_ALPHA) + floor);
  const ofErrors = WORSE.map((worse) => logRatio(answers, allowed + (1 - allowed) * worse, allowed));
  const steps = [
    ...ofErrors,
    ...slowSteps(quiet_looks > 0 ? [] : usual.length > 0 ? usual : known.latency, answers),
  ];
  return steps.map((step, index) => Math.min(KEPT, Math.max(0, (before[index] ?? 0) + step)));
}

function slowSteps(known: Weighted["latency"], answers: Answers): number[] {
  const bound = boundNear(known, SLOW_QUANTILE);
  if (bound === null) return SLOW_ODDS.map(() => 0);
  const counted = (counts: readonly number[]): Tally => ({
    requests: counts.reduce((sum, count) => sum + count, 0),
    errors: slowerThan(counts, bound),
  });
  const usual = Math.min(0.999, highestRate(counted(known), BOUND_ALPHA));
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

/** Looks that the first passed challenge vouches for; each further one does for twice as many. */
const QUIET_LOOKS = 60;
const MOST_QUIET_LOOKS = 3600;

/**
 * All traffic makes the same server slower. So what a candidate takes after it was no slower at equal load is usual, and
 * a day's peak asks for few challenges.
 */
export const passedChallenge = ({ passed }: LatencyAlone): LatencyAlone => ({
  passed: passed + 1,
  quiet_looks: Math.min(MOST_QUIET_LOOKS, QUIET_LOOKS * 2 ** passed),
  usual: [],
});

/** @param candidate its newest answers, all of them since the challenge */
export function aloneAfter(
  { latency_alone: alone, challenged_for }: Pick<JudgeState, "latency_alone" | "challenged_for">,
  candidate: Weighted,
): LatencyAlone {
  if (alone.quiet_looks === 0 || challenged_for !== null) return alone;
  const quiet_looks = alone.quiet_looks - 1;
  return { ...alone, quiet_looks, usual: quiet_looks === 0 ? candidate.latency : alone.usual };
}
