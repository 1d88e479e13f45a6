import { AsyncLocalStorage } from "node:async_hooks";

/**
 * The instant by which a run has to answer. It reaches what takes no signal, the database above all, through the
 * context of the calls (docs/decisions/0008).
 */
export class Deadline {
  static readonly #current = new AsyncLocalStorage<Deadline>();
  readonly signal: AbortSignal;
  readonly #endsAt: number;

  /** `until` ends it earlier when it aborts. */
  constructor(ms: number, until?: AbortSignal) {
    const over = AbortSignal.timeout(Math.ceil(ms));
    this.signal = until === undefined ? over : AbortSignal.any([over, until]);
    this.#endsAt = performance.now() + ms;
  }

  /** Of the run that this call belongs to; undefined where nobody set one. */
  static get current(): Deadline | undefined {
    return Deadline.#current.getStore();
  }

  get remainingMs(): number {
    return Math.max(0, this.#endsAt - performance.now());
  }

  /** Whatever `work` calls, now or later, finds this deadline as the current one. */
  cover<T>(work: () => T): T {
    return Deadline.#current.run(this, work);
  }
}

/** Waits for `work` no longer than the signal allows, also where the work itself does not listen to it. */
export async function untilAborted<T>(
  signal: AbortSignal,
  work: (signal: AbortSignal) => PromiseLike<T>,
): Promise<T> {
  signal.throwIfAborted();
  let stopListening = () => {};
  const aborted = new Promise<never>((_resolve, reject) => {
    const onAbort = () => reject(asError(signal.reason));
    signal.addEventListener("abort", onAbort, { once: true });
    stopListening = () => signal.removeEventListener("abort", onAbort);
  });
  try {
    return await Promise.race([work(signal), aborted]);
  } finally {
    stopListening();
  }
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new DOMException(String(reason), "AbortError");
}
