/** What happens to one call instead of its answer. */
export type Fault =
  /** It is answered with this status, and not carried out. */
  | { status: number; body?: string }
  /** The connection breaks before the call is carried out, or afterwards. */
  | { lost: "call" | "answer" };

/** The faults that the next calls meet. */
export class CallFaults {
  readonly #faults: { matches: RegExp; fault: Fault; times: number }[] = [];

  add(matches: RegExp, fault: Fault, times: number): void {
    this.#faults.push({ matches, fault, times });
  }

  forget(): void {
    this.#faults.length = 0;
  }

  /** Of a call as `METHOD /path`; null where it meets none. */
  meetBy(call: string): Fault | null {
    const found = this.#faults.find(({ matches, times }) => times > 0 && matches.test(call));
    if (found === undefined) return null;
    found.times -= 1;
    return found.fault;
  }
}
