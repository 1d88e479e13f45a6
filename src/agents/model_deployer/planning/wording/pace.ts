/** Rates and durations as people say them. */

export function paceText(perSecond: number, what: string): string {
  return perSecond >= 1
    ? `${rounded(perSecond)} ${what} a second`
    : `${rounded(60 * perSecond)} ${what} a minute`;
}

const UNITS = [
  ["days", 86_400],
  ["h", 3600],
  ["min", 60],
  ["s", 1],
] as const;

/** A duration in the largest unit of which it holds two. */
export function lasting(seconds: number): string {
  const [unit, length] = UNITS.find(([, size]) => seconds >= 2 * size) ?? (["s", 1] as const);
  return `${rounded(seconds / length)} ${unit}`;
}

const rounded = (value: number): string => (value >= 10 ? value.toFixed(0) : value.toFixed(1));
