import { secondsText } from "../../../base/deadline.ts";
import type { Plan } from "../../domain/plan.ts";
import { ConflictError } from "../../errors.ts";
import { deadlineError, withLease } from "../held_lease.ts";
import { hasBegun } from "../endings/operation_outcome.ts";
import type { RunOptions } from "../run_options.ts";
import type { Database } from "../../ports/parts.ts";
import type { LongCallOptions } from "../../ports/call_options.ts";
import type { Lease, Operation } from "../../ports/stores/operation_stores.ts";
import { isCut } from "../steps/take_steps.ts";

/** Makes what an operation needs, and goes on with it then. */
export interface PreparedWork<T> {
  prepare: (options: LongCallOptions) => Promise<void>;
  goOn: () => Promise<T>;
}

/**
 * Prepares an operation under a lease with the operation's name: its endpoint stays free for others, and no worker
 * takes the operation for interrupted, neither while it is prepared nor before it has the lease of its plan. A second
 * caller that finds the lease held waits for the same preparation.
 * @throws DeadlineExceededError with the progress, when the caller's time is over, and whatever the work raises
 */
export async function underOwnLease<T>(
  { database, lease_seconds }: { database: Database; lease_seconds: number },
  operation: Operation,
  plan: Plan,
  { signal, patience, onProgress }: RunOptions,
  { prepare, goOn }: PreparedWork<T>,
): Promise<T> {
  const limit = patience === undefined ? signal : AbortSignal.any([signal, patience]);
  const begunAt = performance.now();
  let [far, isPrepared] = ["what it needs is being made", false];
  const tell = (line: string) => {
    far = line;
    onProgress("under_way", null, line);
  };
  const request = {
    name: `operation/${operation.operation_id}`,
    preempts: false,
    ttl_seconds: lease_seconds,
  };
  const held = async (lease: Lease | null, until: AbortSignal) => {
    if (lease !== null && !hasBegun(operation.status)) {
      await database.journal.prepare(operation.operation_id, plan, lease);
    }
    await prepare({ signal: until, onProgress: tell });
    isPrepared = true;
    return goOn();
  };
  try {
    return await withLease(database.leases, request, limit, held).catch((error: unknown) => {
      if (!isHeldByAnother(error, request.name)) throw error;
      return held(null, limit);
    });
  } catch (error) {
    if (isPrepared || !isCut(limit)) throw error;
    throw deadlineError(plan.summary, `${far}, after ${secondsText(performance.now() - begunAt)}`, error);
  }
}

function isHeldByAnother(error: unknown, lease: string): boolean {
  return error instanceof ConflictError && error.details["lease"] === lease;
}
