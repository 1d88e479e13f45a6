/** Mulberry32, so that every run can be had again. */
export function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** By Box and Muller. */
export function normalFrom(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** From so many expected successes and failures on, the normal approximation is drawn from. */
const LARGE = 60;

/** Successes of `n` trials: exact by the gaps between successes, and rounded from a normal draw where both outcomes are many. */
export function binomialFrom(random: () => number, n: number, p: number): number {
  if (n <= 0 || p <= 0) return 0;
  if (p >= 1) return n;
  if (p > 0.5) return n - binomialFrom(random, n, 1 - p);
  if (n * p > LARGE) {
    const drawn = Math.round(n * p + Math.sqrt(n * p * (1 - p)) * normalFrom(random));
    return Math.min(n, Math.max(0, drawn));
  }
  let successes = 0;
  let position = 0;
  const logMiss = Math.log1p(-p);
  for (;;) {
    position += Math.floor(Math.log(1 - random()) / logMiss) + 1;
    if (position > n) return successes;
    successes += 1;
  }
}
