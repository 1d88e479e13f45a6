const QUIET_MS = 60_000;

interface Told {
  at: number;
  /** How often it came since. */
  again: number;
}

/** Lets a problem that comes at each round through once a minute, with how often it came meanwhile. */
export class RepeatedProblems {
  readonly #told = new Map<string, Told>();

  /** Of these the ones that are worth a line; `now` in ms by a clock that nobody sets. */
  worthALine(problems: readonly string[], now = performance.now()): string[] {
    const lines = problems.flatMap((problem) => {
      const told = this.#told.get(problem);
      if (told !== undefined && now - told.at < QUIET_MS) {
        told.again += 1;
        return [];
      }
      this.#told.set(problem, { at: now, again: 0 });
      return [told === undefined || told.again === 0 ? problem : `${problem} (${told.again + 1} times more)`];
    });
    for (const [problem, { at }] of this.#told) if (now - at >= 2 * QUIET_MS) this.#told.delete(problem);
    return lines;
  }
}
