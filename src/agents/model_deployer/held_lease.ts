import { AgentError } from "../base/agent_error.ts";
import { DeadlineExceededError } from "./errors.ts";
import type { Lease, Leases } from "./store_ports.ts";

export interface LeaseRequest {
  name: string;
  preempts: boolean;
  ttl_seconds: number;
}

/**
 * Holds a lease while `work` runs and renews it in time; the signal aborts when the lease is lost or `signal` aborts.
 * @throws ConflictError that names the holder
 */
export async function withLease<T>(
  leases: Leases,
  request: LeaseRequest,
  signal: AbortSignal,
  work: (lease: Lease, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { name, preempts: preempt, ttl_seconds } = request;
  const lease = await leases.acquire(name, { ttl_seconds, preempt });
  const lost = new AbortController();
  const renewal = setInterval(
    () => {
      leases.renew(lease, { ttl_seconds }).catch((error: unknown) => {
        lost.abort(error);
      });
    },
    (ttl_seconds * 1000) / 3,
  );
  try {
    return await work(lease, AbortSignal.any([signal, lost.signal]));
  } finally {
    clearInterval(renewal);
    await leases.release(lease).catch(ignoreUnreleased);
  }
}

/** A lease that could not be given back runs out by itself. */
function ignoreUnreleased(error: unknown): void {
  if (!(error instanceof AgentError)) throw error;
}

/** What an aborted wait is raised as. */
export function deadlineError(what: string, cause: unknown): DeadlineExceededError {
  return new DeadlineExceededError(
    `${what} was not done in time; repeat the request, or let a worker carry it on.`,
    { cause },
  );
}
