/** Work that a worker does by itself now and then. */
export interface Upkeep {
  name: string;
  every_ms: number;
  /** @returns what was done, as sentences for its log; none where there was nothing to do */
  work: () => Promise<string[]>;
}

/** Due once `every_ms` have passed since the worker began, so that no restart makes work for a busy machine. */
export class DueUpkeep {
  readonly #upkeep: Upkeep;
  readonly #now: () => number;
  #doneAt: number;

  constructor(upkeep: Upkeep, now: () => number) {
    this.#upkeep = upkeep;
    this.#now = now;
    this.#doneAt = now();
  }

  async doIfDue(): Promise<string[]> {
    if (this.#now() - this.#doneAt < this.#upkeep.every_ms) return [];
    this.#doneAt = this.#now();
    return this.#upkeep.work();
  }
}
