const FIRST_MS = 1_000;
const LONGEST_MS = 30_000;

/** Delays each retry twice as long as the one before, so that a lasting failure is not met several times a second. */
export class Pauses {
  readonly #now: () => number;
  readonly #byName = new Map<string, { lengthMs: number; until: number }>();

  /** @param now milliseconds that only go forward */
  constructor(now: () => number) {
    this.#now = now;
  }

  isOver(name: string): boolean {
    return (this.#byName.get(name)?.until ?? 0) <= this.#now();
  }

  failed(name: string): void {
    const before = this.#byName.get(name)?.lengthMs;
    const lengthMs = before === undefined ? FIRST_MS : Math.min(before * 2, LONGEST_MS);
    this.#byName.set(name, { lengthMs, until: this.#now() + lengthMs });
  }

  succeeded(name: string): void {
    this.#byName.delete(name);
  }
}
