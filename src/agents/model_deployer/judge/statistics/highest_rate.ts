import type { Tally } from "../../domain/evidence/figures.ts";

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
export function divergence(p: number, q: number): number {
  const failures = p === 0 ? 0 : p * Math.log(p / q);
  return failures + (p === 1 ? 0 : (1 - p) * (Math.log1p(-p) - Math.log1p(-q)));
}

/** Logarithm of the likelihood ratio of a rate against another one; rates stay inside (0, 1). */
export function logRatio({ requests, errors }: Tally, rate: number, other: number): number {
  return errors * Math.log(rate / other) + (requests - errors) * (Math.log1p(-rate) - Math.log1p(-other));
}
