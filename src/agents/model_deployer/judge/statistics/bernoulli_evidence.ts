import { logFactorial } from "./log_factorial.ts";

/**
 * Logarithm of the e-value against "each of `trials` independent trials succeeds with probability `rate`", of which
 * `successes` did: the uniform mixture of the likelihood ratios over all other rates,
 * B(1 + s, 1 + n - s) / (rate^s (1 - rate)^(n - s)). Valid at any number of looks.
 *
 * Robbins, "Statistical Methods Related to the Law of the Iterated Logarithm" (1970); Ville's inequality.
 */
export function logMixtureEvidence(successes: number, trials: number, rate: number): number {
  const failures = trials - successes;
  const mixture = logFactorial(successes) + logFactorial(failures) - logFactorial(trials + 1);
  return mixture - successes * Math.log(rate) - failures * Math.log1p(-rate);
}
