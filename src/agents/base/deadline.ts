import { AsyncLocalStorage } from "node:async_hooks";

/**
 * The instant by which a run has to answer. It reaches what takes no signal, the database above all, through the
 * context of the calls (docs/decisions/0006).
 */
export class Deadline {
  static readonly #current = new AsyncLocalStorage<Deadline>();
  readonly signal: AbortSignal;
  readonly #over: AbortSignal;
  readonly #endsAt: number;
  readonly #named: string;
  readonly #of: string;
  readonly #begunAt = performance.now();
  /** How long a part that does not answer at all is waited for; undefined leaves that to the part's own limits. */
  readonly silenceMs: number | undefined;

  /** @param options `of` says what has this long, for errors; `until` ends it earlier when it aborts */
  constructor(ms: number, { of, until, silenceMs }: { of: string; until?: AbortSignal; silenceMs?: number }) {
    this.silenceMs = silenceMs;
    this.#of = of;
    this.#over = AbortSignal.timeout(Math.ceil(ms));
    this.signal = until === undefined ? this.#over : AbortSignal.any([this.#over, until]);
    this.#endsAt = performance.now() + ms;
    this.#named = `the ${secondsText(ms)} of ${of}`;
  }

  /** Of the run that this call belongs to; undefined where nobody set one. */
  static get current(): Deadline | undefined {
    return Deadline.#current.getStore();
  }

  get remainingMs(): number {
    return Math.max(0, this.#endsAt - performance.now());
  }

  get elapsedMs(): number {
    return performance.now() - this.#begunAt;
  }

  /** The reason for the end, once the signal is aborted: `the 60 s of a look at a rollout were over`. */
  get end(): string {
    return this.#over.aborted ? `${this.#named} were over` : "its caller ended it";
  }

  /** The same deadline, with another patience for a part that does not answer. */
  withSilence(silenceMs: number): Deadline {
    return new Deadline(this.remainingMs, { of: this.#of, until: this.signal, silenceMs });
  }

  /** Whatever `work` calls, now or later, finds this deadline as the current one. */
  run<T>(work: () => T): T {
    return Deadline.#current.run(this, work);
  }
}

/**
 * The sentence for a part that did not answer in time: its own limit was over, or its caller's deadline came first.
 * @param asked the caller's signal
 */
export function noAnswer(asked: AbortSignal, limitMs: number): string {
  if (!asked.aborted) return `no answer within ${secondsText(limitMs)}`;
  const deadline = Deadline.current;
  return `no answer before ${deadline?.signal.aborted === true ? deadline.end : "its caller ended it"}`;
}

/** `12.3 s`; milliseconds below a tenth of a second. */
export function secondsText(ms: number): string {
  return ms < 100 ? `${Math.round(ms)} ms` : `${Math.round(ms / 100) / 10} s`;
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
