import { nothingSinceLowest } from "./rollout.ts";
import type { JudgeSettings, JudgeState, Tally, Verdict, VersionFigures } from "./rollout.ts";

/**
 * Judges a candidate's errors against the baseline's, at any number of looks.
 *
 * The statistic is a two-sample Bernoulli e-process: Turner, Ly, Gruenwald, "Generic E-variables for Exact Sequential
 * k-Sample Tests that allow for Optional Stopping" (2024), section 3. Each look is one block; the rates that it bets on
 * come from the looks before it, so that the product is an e-value under "the candidate fails no more often".
 * The bet is one-sided: while the candidate looks no worse, or one side has no past to bet by, the block's factor is 1.
 *
 * A look sees counts, not the order of the answers within it: `failures_in_a_row` is therefore exact only where a look
 * holds no success of the candidate, and a run of failures that ends inside a look goes unnoticed.
 */

/** Pseudo-counts of the Beta prior of each rate; the paper's simulations favour values well below 1. */
const PRIOR = 0.18;

export interface JudgedSides {
  candidate_id: string;
  baseline_id: string;
}

interface Sides {
  candidate: Tally;
  baseline: Tally;
}

const nothing: Tally = { requests: 0, errors: 0 };

function growth(now: VersionFigures | undefined, before: VersionFigures | undefined): Tally {
  if (now === undefined) return nothing;
  if (before === undefined || before.epoch !== now.epoch)
    return { requests: now.requests, errors: now.errors };
  return {
    requests: Math.max(0, now.requests - before.requests),
    errors: Math.max(0, now.errors - before.errors),
  };
}

const plus = (a: Tally, b: Tally): Tally => ({
  requests: a.requests + b.requests,
  errors: a.errors + b.errors,
});
const rate = (tally: Tally): number => (tally.requests === 0 ? 0 : tally.errors / tally.requests);
const bet = (tally: Tally): number => (tally.errors + PRIOR) / (tally.requests + 2 * PRIOR);

/** Logarithm of the probability of `tally` at an error rate; rates stay inside (0, 1) by the prior. */
function logLikelihood(tally: Tally, errorRate: number): number {
  return tally.errors * Math.log(errorRate) + (tally.requests - tally.errors) * Math.log1p(-errorRate);
}

/** Logarithm of one block's e-variable, given what was seen before it. */
export function logEFactor(past: Sides, block: Sides): number {
  const size = block.candidate.requests + block.baseline.requests;
  const candidateBet = bet(past.candidate);
  const baselineBet = bet(past.baseline);
  const sides = [past.candidate, past.baseline, block.candidate, block.baseline];
  if (sides.some(({ requests }) => requests === 0) || candidateBet <= baselineBet) return 0;
  const nullRate = (block.candidate.requests * candidateBet + block.baseline.requests * baselineBet) / size;
  return (
    logLikelihood(block.candidate, candidateBet) +
    logLikelihood(block.baseline, baselineBet) -
    logLikelihood(plus(block.candidate, block.baseline), nullRate)
  );
}

export function newJudgeState(figures: VersionFigures[]): JudgeState {
  return {
    log_e: 0,
    candidate: nothing,
    baseline: nothing,
    since_lowest: nothingSinceLowest,
    last_figures: figures,
    failures_in_a_row: 0,
  };
}

/** What was seen since the evidence was last at its lowest: the stretch that the evidence there is comes from. */
function sinceLowest(before: JudgeState, logE: number, block: Sides): JudgeState["since_lowest"] {
  const { since_lowest: since } = before;
  if (logE <= since.log_e) return { log_e: logE, candidate: nothing, baseline: nothing };
  return {
    log_e: since.log_e,
    candidate: plus(since.candidate, block.candidate),
    baseline: plus(since.baseline, block.baseline),
  };
}

/** Takes in one look at the counters. Pure; the same look twice changes nothing. */
export function observe(state: JudgeState, figures: VersionFigures[], sides: JudgedSides): JudgeState {
  const of = (list: VersionFigures[], id: string) => list.find((entry) => entry.deployment_id === id);
  const block = {
    candidate: growth(of(figures, sides.candidate_id), of(state.last_figures, sides.candidate_id)),
    baseline: growth(of(figures, sides.baseline_id), of(state.last_figures, sides.baseline_id)),
  };
  const logE = state.log_e + logEFactor(state, block);
  const succeeded = block.candidate.requests > block.candidate.errors;
  return {
    log_e: logE,
    candidate: plus(state.candidate, block.candidate),
    baseline: plus(state.baseline, block.baseline),
    since_lowest: sinceLowest(state, logE, block),
    last_figures: figures,
    failures_in_a_row: succeeded ? 0 : state.failures_in_a_row + block.candidate.errors,
  };
}

const percent = (value: number): string => `${(100 * value).toFixed(2)} %`;
const counted = (tally: Tally): string => `${tally.errors} of ${tally.requests} (${percent(rate(tally))})`;

const difference = ({ candidate, baseline }: Sides): number => rate(candidate) - rate(baseline);

/**
 * A candidate that is worse over all, and by the floor either over all or in the stretch that the evidence comes from:
 * one that turned bad late must not be hidden behind its good past, and a smaller difference never fails.
 */
function isWorse(state: JudgeState, floor: number): boolean {
  const overall = difference(state);
  return overall > 0 && Math.max(overall, difference(state.since_lowest)) >= floor;
}

/** What the evidence so far allows to say. Inconclusive never promotes. */
export function judge(state: JudgeState, settings: JudgeSettings): Verdict {
  const eValue = Math.exp(Math.min(state.log_e, 700));
  const numbers = `candidate failed ${counted(state.candidate)}, baseline ${counted(state.baseline)}, e-value ${eValue.toPrecision(3)}`;
  const verdict = (outcome: Verdict["outcome"], reason: string): Verdict => ({
    outcome,
    reason: `${reason}: ${numbers}.`,
    candidate: state.candidate,
    baseline: state.baseline,
    e_value: eValue,
  });
  if (state.failures_in_a_row >= settings.failures_in_a_row) {
    return verdict("fail", `${state.failures_in_a_row} failures of the candidate and no success among them`);
  }
  if (state.candidate.requests < settings.minimum_samples) {
    return verdict(
      "inconclusive",
      `${state.candidate.requests} of at least ${settings.minimum_samples} samples`,
    );
  }
  if (eValue >= 1 / settings.alpha && isWorse(state, settings.effect_floor)) {
    return verdict("fail", `the candidate fails more often, beyond doubt at ${settings.alpha}`);
  }
  if (difference(state) < settings.effect_floor)
    return verdict("pass", "the candidate fails no more often than allowed");
  return verdict("inconclusive", "the candidate may fail more often, and more samples are needed to tell");
}
