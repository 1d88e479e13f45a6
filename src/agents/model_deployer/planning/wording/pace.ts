/** Rates and durations as people say them. */

export function paceText(perSecond: number, what: string): string {
  const [unit, length] = PACES.find(([, size]) => perSecond * size >= 1) ?? (["day", 86_400] as const);
  return `${rounded(perSecond * length)} ${what} ${unit === "hour" ? "an" : "a"} ${unit}`;
}

const PACES = [
  ["second", 1],
  ["minute", 60],
  ["hour", 3600],
] as const;

const UNITS = [
  ["years", 365.25 * 86_400],
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
