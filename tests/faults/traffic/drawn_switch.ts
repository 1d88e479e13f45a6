import type { WeightSet } from "../../../src/agents/model_deployer/domain/entities.ts";

/** The next of a script's numbers. */
export type Draw = () => number;

export function drawing(draws: readonly number[]): Draw {
  let index = 0;
  return () => draws[index++ % draws.length] ?? 0;
}

export function pick(names: readonly string[], next: Draw): string {
  return names[next() % names.length] ?? "u0";
}

export function drawIdle(names: readonly string[], busy: readonly (string | null)[], next: Draw): string {
  return pick(
    names.filter((name) => !busy.includes(name)),
    next,
  );
}

/** One to three of those that are not mirrored to; now and then one more, named with weight 0. */
export function drawWeights(names: readonly string[], mirror: string | null, next: Draw): WeightSet {
  const free = names.filter((name) => name !== mirror);
  const first = next() % free.length;
  const turned = [...free.slice(first), ...free.slice(0, first)];
  const cuts = Array.from({ length: next() % 3 }, () => 1 + (next() % 99));
  const bounds = [0, ...new Set(cuts.sort((a, b) => a - b)), 100];
  const shares = bounds.slice(1).map((bound, index) => bound - (bounds[index] ?? 0));
  if (next() % 4 === 0) shares.push(0);
  return Object.fromEntries(shares.map((share, index) => [turned[index] ?? "u0", share]));
}
