/** Truncated, never rounded up, so that 24 h are not shown seconds early. */
export function hoursText(hours: number): string {
  if (hours >= 1) return `${(Math.floor(hours * 100) / 100).toFixed(2)} h`;
  return `${(Math.floor(hours * 36_000) / 10).toFixed(1)} s`;
}
