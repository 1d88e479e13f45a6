import type { Tally } from "./rollout.ts";

/**
 * Evidence that a candidate fails more often than its baseline, as e-values: products of factors whose expectation is at
 * most 1 while it does not, so that whoever looks at any moment is misled with probability alpha at most (Ville, 1939).
 *
 * While both sides answer, a factor is a two-sample Bernoulli e-variable: Turner, Ly, Gruenwald, "Generic E-variables for
 * Exact Sequential k-Sample Tests that allow for Optional Stopping" (2024), section 3. Each look is one block; the rates
 * that it bets on come from the looks before it. The bet is one-sided: while the candidate looks no worse, or one side has
 * no past to bet by, the factor is 1.
 */

/** Pseudo-counts of the Beta prior of each rate; the paper's simulations favour values well below 1. */
const PRIOR = 0.18;

export interface Sides {
  candidate: Tally;
  baseline: Tally;
}

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
    logLikelihood({ requests: size, errors: block.candidate.errors + block.baseline.errors }, nullRate)
  );
}

export interface Alone {
  /** What the baseline answered while it was asked. */
  baseline: Tally;
  /** Answers of the candidate before the block, and those of it. */
  past: Tally;
  block: Tally;
  /** Probability that the baseline's rate lies above the bound that is made of its answers. */
  alpha: number;
  /** Added to that bound: so much worse the candidate may be. */
  floor: number;
}

/**
 * Logarithm of the factor of a block in which only the candidate answered: the likelihood ratio of the bet against the
 * highest rate that is still allowed. An e-variable as long as that rate is not below the baseline's own.
 */
export function logEFactorAlone({ baseline, past, block, alpha, floor }: Alone): number {
  const allowed = Math.min(1, highestRate(baseline, alpha) + floor);
  const candidateBet = bet(past);
  if (past.requests === 0 || block.requests === 0 || candidateBet <= allowed) return 0;
  return logLikelihood(block, candidateBet) - logLikelihood(block, allowed);
}

/**
 * Chernoff's bound: the largest rate p with n KL(observed, p) <= ln(1/alpha); 1 without answers.
 *
 * Hoeffding, "Probability Inequalities for Sums of Bounded Random Variables" (1963), theorem 1.
 */
export function highestRate({ requests, errors }: Tally, alpha: number): number {
  if (requests === 0) return 1;
  const observed = errors / requests;
  const limit = -Math.log(alpha) / requests;
  let low = observed;
  let high = 1;
  for (let halving = 0; halving < 50; halving += 1) {
    const middle = (low + high) / 2;
    if (divergence(observed, middle) <= limit) low = middle;
    else high = middle;
  }
  return high;
}

/** Kullback-Leibler divergence of Bernoulli(p) from Bernoulli(q), for p <= q < 1. */
function divergence(p: number, q: number): number {
  const failures = p === 0 ? 0 : p * Math.log(p / q);
  return failures + (p === 1 ? 0 : (1 - p) * (Math.log1p(-p) - Math.log1p(-q)));
}
