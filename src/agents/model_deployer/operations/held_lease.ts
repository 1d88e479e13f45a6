import { AgentError } from "../../base/agent_error.ts";
import { Deadline } from "../../base/deadline.ts";
import { ConflictError, DeadlineExceededError, ServiceUnavailableError } from "../errors.ts";
import type { Lease, Leases } from "../ports/stores/operation_stores.ts";

export interface LeaseRequest {
  name: string;
  preempts: boolean;
  /** The work is the deployer's own: any request takes the lease from it. */
  background?: boolean;
  ttl_seconds: number;
}

/** Limits for releasing the lease after the run's deadline, so that the next holder need not wait until it runs out. */
const RELEASE_MS = { atLeast: 500, atMost: 5_000 };

/**
 * Holds a lease while `work` runs and renews it in time; the signal aborts when the lease is lost or `signal` aborts.
 * Work whose last transaction has released the lease says so, which saves a second release.
 * @throws ConflictError that names the holder; also when the lease was granted to somebody else meanwhile
 * @throws ServiceUnavailableError when it could not be renewed before it ran out
 */
export async function withLease<T>(
  leases: Leases,
  request: LeaseRequest,
  signal: AbortSignal,
  work: (lease: Lease, signal: AbortSignal, givenBack: () => void) => Promise<T>,
): Promise<T> {
  const { name, preempts: preempt, background = false, ttl_seconds } = request;
  const askedAt = performance.now();
  const lease = await leases.acquire(name, { ttl_seconds, preempt, background });
  const renewal = new Renewal(leases, lease, { ttlMs: ttl_seconds * 1000, askedAt });
  let isHeld = true;
  const givenBack = () => {
    isHeld = false;
    renewal.end();
  };
  try {
    return await work(lease, AbortSignal.any([signal, renewal.lost]), givenBack);
  } catch (error) {
    renewal.lost.throwIfAborted();
    throw error;
  } finally {
    renewal.end();
    if (isHeld) await release(leases, lease);
  }
}

/**
 * As `withLease`, with the leases of others beside it for as long: what is written is fenced by the first alone, and nobody
 * waits for a lease, so that two of them block nobody.
 */
export async function withLeases<T>(
  leases: Leases,
  { also, ...request }: LeaseRequest & { also: readonly string[] },
  signal: AbortSignal,
  work: (lease: Lease, signal: AbortSignal, givenBack: () => void) => Promise<T>,
): Promise<T> {
  const [name, ...others] = also;
  if (name === undefined) return withLease(leases, request, signal, work);
  return withLease(leases, { ...request, name }, signal, (_lease, until) =>
    withLeases(leases, { ...request, also: others }, until, work),
  );
}

async function release(leases: Leases, lease: Lease): Promise<void> {
  const { atLeast, atMost } = RELEASE_MS;
  // A hurried run has already waited for a silent Postgres, or finds it answering at once.
  const isHurried = Deadline.current?.silenceMs !== undefined;
  const left = isHurried ? atLeast : (Deadline.current?.remainingMs ?? atMost);
  const deadline = new Deadline(Math.min(atMost, Math.max(atLeast, left)), { of: "giving back a lease" });
  await deadline.run(() => leases.release(lease)).catch(ignoreUnreleased);
}

/** Renews a lease at each third of its time; a renewal that fails is tried again for as long as the lease lasts. */
class Renewal {
  readonly #leases: Leases;
  readonly #lease: Lease;
  readonly #ttlMs: number;
  readonly #lost = new AbortController();
  #next: NodeJS.Timeout | undefined;
  #end: NodeJS.Timeout | undefined;
  #failure: unknown;
  #ended = false;

  /** `askedAt` is when the lease was asked for: by the database's clock it ends no earlier than counted from there. */
  constructor(leases: Leases, lease: Lease, { ttlMs, askedAt }: { ttlMs: number; askedAt: number }) {
    this.#leases = leases;
    this.#lease = lease;
    this.#ttlMs = ttlMs;
    this.#lasts(askedAt);
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  end(): void {
    this.#ended = true;
    clearTimeout(this.#next);
    clearTimeout(this.#end);
  }

  #lasts(since: number): void {
    clearTimeout(this.#end);
    this.#end = setTimeout(
      () => {
        this.#lose(ranOut(this.#lease, this.#failure));
      },
      Math.max(0, since + this.#ttlMs - performance.now()),
    );
    this.#renewIn(this.#ttlMs / 3);
  }

  #renewIn(ms: number): void {
    this.#next = setTimeout(() => void this.#renew(), ms);
  }

  async #renew(): Promise<void> {
    const askedAt = performance.now();
    try {
      await this.#leases.renew(this.#lease, { ttl_seconds: this.#ttlMs / 1000 });
      if (!this.#ended) this.#lasts(askedAt);
    } catch (error) {
      if (this.#ended) return;
      if (error instanceof ConflictError) {
        this.#lose(error);
        return;
      }
      this.#failure = error;
      this.#renewIn(this.#ttlMs / 12);
    }
  }

  #lose(reason: AgentError): void {
    this.end();
    this.#lost.abort(reason);
  }
}

function ranOut({ name, token }: Lease, cause: unknown): ServiceUnavailableError {
  const why = cause instanceof AgentError ? cause.message : "The database does not answer.";
  return new ServiceUnavailableError(
    "database",
    `Lease ${token} of ${name} ran out because it could not be renewed; repeat the request, or let a worker carry it on. ${why}`,
    { cause },
  );
}

/** A lease that could not be given back runs out by itself. */
function ignoreUnreleased(error: unknown): void {
  if (!(error instanceof AgentError)) throw error;
}

/** The error of an aborted wait. @param cut names the work under way: `start_server after 24.1 s` */
export function deadlineError(what: string, cut: string, cause: unknown): DeadlineExceededError {
  const last = cause instanceof AgentError ? ` Last error: ${cause.message}` : "";
  return new DeadlineExceededError(
    `${what} It was not done in time: what was cut is ${cut}. Repeat the request, or let a worker carry it on.${last}`,
    { cause },
  );
}
