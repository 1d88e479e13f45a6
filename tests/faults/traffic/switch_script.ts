import fc from "fast-check";

const KINDS = {
  /** Other shares, of one to three deployments. */
  weights: 8,
  /** A mirror on or off, the weights as they are. */
  mirror: 3,
  /** A mirror whose server is killed while it is mirrored to. */
  dying_mirror: 1,
  /** One without weight is killed, comes back at another port, and is given weight. */
  move: 2,
  /** One with weight is served from a second process, and the first one ends; the generation stays. */
  follow: 1,
  /** A new deployment gets weight, another one loses its weight and its server. */
  replace: 3,
  /** Somebody else, who has slept, applies an old generation meanwhile. */
  stale: 2,
  /** Two apply at once, each a generation of its own. */
  race: 2,
} as const;

export type SwitchKind = keyof typeof KINDS | "reopen";
export interface Switch {
  kind: SwitchKind;
  /** The number by which the kind chooses. */
  draws: number[];
}

const DRAWS = 8;

/** The same switches for the same seed; each `reopenEvery`th closes the endpoint's listener under load and opens it again. */
export function switchScript(seed: number, count: number, reopenEvery: number): Switch[] {
  const kinds = Object.entries(KINDS).map(([kind, weight]) => ({ arbitrary: fc.constant(kind), weight }));
  const arbitrary = fc.record({
    kind: fc.oneof(...kinds),
    draws: fc.array(fc.nat(1_000_000), { minLength: DRAWS, maxLength: DRAWS }),
  });
  const drawn = fc.sample(arbitrary, { seed, numRuns: count });
  return drawn.map(({ kind, draws }, index) => ({
    kind: index % reopenEvery === reopenEvery - 1 ? "reopen" : (kindNamed(kind) ?? "weights"),
    draws,
  }));
}

const kindNames: readonly SwitchKind[] = [
  "weights",
  "mirror",
  "dying_mirror",
  "move",
  "follow",
  "replace",
  "stale",
  "race",
];
const kindNamed = (name: string) => kindNames.find((kind) => kind === name);
