/** Ids differ from one sequence to the next. */
export const withoutIds = (text: string): string =>
  text
    .replaceAll(/\b(deploy|mv|rollout|op|policy)_[0-9a-f]{8,}\b/g, "$1_x")
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, "then")
    .replaceAll(/\d+(\.\d+)?/g, "n");

export function secondsUntil(instant: string | null, now: string): number {
  return instant === null ? 0 : Math.max(0, (Date.parse(instant) - Date.parse(now)) / 1000 + 1);
}
