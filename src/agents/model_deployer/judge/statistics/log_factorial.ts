const SMALL = 32;
const small: number[] = [0];
for (let n = 1; n < SMALL; n += 1) small.push((small[n - 1] ?? 0) + Math.log(n));

/** ln(n!): summed for small numbers, else Stirling's series, whose error is then below 1e-13 (DLMF 5.11.1). */
export function logFactorial(n: number): number {
  const known = small[n];
  if (known !== undefined) return known;
  const z = n + 1;
  const series = 1 / (12 * z) - 1 / (360 * z ** 3) + 1 / (1260 * z ** 5);
  return (z - 0.5) * Math.log(z) - z + 0.5 * Math.log(2 * Math.PI) + series;
}

/** ln of the number of ways to choose `k` of `n`. */
export function logBinomial(n: number, k: number): number {
  return logFactorial(n) - logFactorial(k) - logFactorial(n - k);
}
