/** Stands for a caller's options: their abort signal can neither be sent nor kept, and is made anew. */
const SIGNAL = "\u0000signal";

/** A call's arguments without what belongs to one process; copied, so that nothing changes them later. */
export function withoutSignals(values: readonly unknown[]): unknown[] {
  return values.map((value) => (isOptions(value) ? SIGNAL : structuredClone(value)));
}

export function withSignals(values: readonly unknown[], deadlineMs: number): unknown[] {
  return values.map((value) =>
    value === SIGNAL ? { signal: AbortSignal.timeout(deadlineMs) } : structuredClone(value),
  );
}

/** Of a caller's options, a part may use the signal only. */
function isOptions(value: unknown): boolean {
  return typeof value === "object" && value !== null && Reflect.get(value, "signal") instanceof AbortSignal;
}
