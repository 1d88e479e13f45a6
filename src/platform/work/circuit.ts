import {
  BrokenCircuitError,
  circuitBreaker,
  type CircuitBreakerPolicy,
  ConsecutiveBreaker,
  handleWhen,
} from "cockatiel";
import { ServiceUnavailableError } from "../../agents/model_deployer/errors.ts";

export interface CircuitOptions {
  /** The service's name in a `ServiceUnavailableError`. */
  service: string;
  /** Outages in a row that open the circuit. */
  consecutiveFailures?: number;
  /** How long it then answers by itself, before one call may try again. */
  halfOpenAfterMs?: number;
  /** Errors that count as outages; every `ServiceUnavailableError` unless given. */
  isOutage?: (error: unknown) => boolean;
}

/**
 * How long a caller has to wait before giving up counts as an outage; a shorter wait says nothing about the service.
 */
export const FAIR_WAIT_MS = 1_000;

/**
 * A circuit breaker before one service: after some outages in a row, callers get an error at once instead of waiting
 * for a timeout each.
 */
export class Circuit {
  readonly #service: string;
  readonly #breaker: CircuitBreakerPolicy;
  readonly #excused = new WeakSet<object>();

  constructor(options: CircuitOptions) {
    const { service, consecutiveFailures = 5, halfOpenAfterMs = 10_000, isOutage = isUnavailable } = options;
    this.#service = service;
    this.#breaker = circuitBreaker(
      handleWhen((error) => isOutage(error) && !(error instanceof Error && this.#excused.has(error))),
      { halfOpenAfter: halfOpenAfterMs, breaker: new ConsecutiveBreaker(consecutiveFailures) },
    );
  }

  /**
   * @param what the call in words, such as `store an episode`
   * @param signal the caller's; how long it waited before it aborted tells impatience from an outage
   * @throws ServiceUnavailableError with `details.breaker` while the circuit is open, and whatever `work` raises
   */
  async run<T>(what: string, signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    try {
      return await this.#breaker.execute(() => this.#timed(signal, work));
    } catch (error) {
      if (!(error instanceof BrokenCircuitError)) throw error;
      const last = this.#breaker.lastFailure;
      const cause = last !== undefined && "error" in last ? last.error : error;
      throw new ServiceUnavailableError(
        this.#service,
        `${this.#service} failed too often in a row, so it was not asked to ${what}; it is tried again shortly. ` +
          `The last failure: ${cause instanceof Error ? cause.message : String(cause)}`,
        { cause, details: { breaker: "open" } },
      );
    }
  }

  async #timed<T>(signal: AbortSignal | undefined, work: () => Promise<T>): Promise<T> {
    const began = performance.now();
    try {
      return await work();
    } catch (error) {
      const isImpatience = signal?.aborted === true && performance.now() - began < FAIR_WAIT_MS;
      if (isImpatience && error instanceof Error) this.#excused.add(error);
      throw error;
    }
  }
}

function isUnavailable(error: unknown): boolean {
  return error instanceof ServiceUnavailableError;
}
