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

const SMALL = 32;

/** ln(n!): summed for small numbers, else Stirling's series, whose error is then below 1e-13 (DLMF 5.11.1). */
function logFactorial(n: number): number {
  if (n < SMALL) {
    let sum = 0;
    for (let factor = 2; factor <= n; factor += 1) sum += Math.log(factor);
    return sum;
  }
  const z = n + 1;
  const series = 1 / (12 * z) - 1 / (360 * z ** 3) + 1 / (1260 * z ** 5);
  return (z - 0.5) * Math.log(z) - z + 0.5 * Math.log(2 * Math.PI) + series;
}
