/** A generation of a route, as a chart draws it. */
export interface WeightChange {
  occurred_at: string;
  /** Percent by model version. */
  version_weights: Record<string, number>;
}

export interface Band {
  version: string;
  /** Lower and upper edge in percent from each change on, in the changes' order. */
  edges: { at: number; from: number; to: number }[];
}

/** One band for each version that ever had traffic, the earliest lowest; the last weights hold until `until`. */
export function bandsOf(changes: readonly WeightChange[], until: number): Band[] {
  const versions = [...new Set(changes.flatMap((one) => Object.keys(one.version_weights)))];
  const last = changes.at(-1);
  if (last === undefined) return [];
  const moments = [
    ...changes.map((one) => ({ at: Date.parse(one.occurred_at), weights: one.version_weights })),
    { at: until, weights: last.version_weights },
  ];
  return versions.map((version, index) => ({
    version,
    edges: moments.map(({ at, weights }) => {
      const from = versions.slice(0, index).reduce((sum, below) => sum + (weights[below] ?? 0), 0);
      return { at, from, to: from + (weights[version] ?? 0) };
    }),
  }));
}

/** The change in force at an instant; null before the first. */
export function inForceAt<T extends WeightChange>(changes: readonly T[], at: number): T | null {
  return changes.findLast((one) => Date.parse(one.occurred_at) <= at) ?? null;
}

const COLOURS = 6;

/** The same version has the same colour wherever the page shows it. */
export const colourOfVersion = (version: number): string => `band-${version % COLOURS}`;

/** The colour of a version by its readable name, which ends with its number. */
export function colourOf(name: string): string {
  return colourOfVersion(Number(/v(\d+)$/.exec(name)?.[1] ?? 0));
}
