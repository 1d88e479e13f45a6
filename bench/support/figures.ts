export const MEBIBYTE = 1024 ** 2;

/** The value below which the given share of the values lies, by nearest rank. NaN without values. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  const rank = Math.max(1, Math.ceil((percent / 100) * sorted.length));
  return sorted[rank - 1] ?? Number.NaN;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const upper = sorted[Math.floor(middle)] ?? Number.NaN;
  return Number.isInteger(middle) ? (upper + (sorted[middle - 1] ?? Number.NaN)) / 2 : upper;
}

/**
 * Measures two things in turn, `A B` and `B A` by turns, so that a machine that gets slower or faster meanwhile favours
 * neither.
 */
export async function inPairs<A, B>(
  rounds: number,
  first: (round: number) => Promise<A>,
  second: (round: number) => Promise<B>,
): Promise<{ first: A; second: B }[]> {
  const pairs: { first: A; second: B }[] = [];
  for (let round = 0; round < rounds; round += 1) {
    if (round % 2 === 0) {
      const one = await first(round);
      pairs.push({ first: one, second: await second(round) });
    } else {
      const two = await second(round);
      pairs.push({ first: await first(round), second: two });
    }
  }
  return pairs;
}

/** Measures several things round by round, each round beginning with another one. */
export async function inRotation<T>(
  rounds: number,
  arms: readonly { name: string; run: () => Promise<T> }[],
): Promise<Map<string, T[]>> {
  const measured = new Map<string, T[]>(arms.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round += 1) {
    const first = round % arms.length;
    for (const { name, run } of [...arms.slice(first), ...arms.slice(0, first)]) {
      measured.get(name)?.push(await run());
    }
  }
  return measured;
}
