import { expect, onTestFinished, test, vi } from "vitest";
import {
  ConflictError,
  DeadlineExceededError,
  ServiceUnavailableError,
} from "../../../src/agents/model_deployer/errors.ts";
import { withLease, withLeases } from "../../../src/agents/model_deployer/operations/held_lease.ts";
import type { Lease, Leases } from "../../../src/agents/model_deployer/ports/stores/operation_stores.ts";

const gone = new ServiceUnavailableError("database", "the database does not answer");
const stale = new ConflictError("Lease 1 of e2i_remission is over: somebody else holds it");
const request = { name: "e2i_remission", preempts: false, ttl_seconds: 30 };

/** Renewals come out as `outcomes` say, in order, and then as the last of them. */
function leasesWith(outcomes: (Error | null)[]): Leases & { renewals: number; released: Lease[] } {
  const leases = {
    renewals: 0,
    released: new Array<Lease>(),
    acquire: (name: string) => Promise.resolve({ name, holder: "here", token: 1 }),
    renew: () => {
      const outcome = outcomes[Math.min(leases.renewals, outcomes.length - 1)] ?? null;
      leases.renewals += 1;
      return outcome === null ? Promise.resolve() : Promise.reject(outcome);
    },
    release: (lease: Lease) => {
      leases.released.push(lease);
      return Promise.resolve();
    },
  };
  return leases;
}

/** Works until its signal aborts, and fails the way an interrupted call does, or until it is told that it is done. */
function startWork(leases: Leases) {
  vi.useFakeTimers();
  onTestFinished(() => {
    vi.useRealTimers();
  });
  const finished = Promise.withResolvers<string>();
  let aborted = false;
  const outcome = withLease(leases, request, new AbortController().signal, (_lease, signal) => {
    signal.addEventListener("abort", () => {
      aborted = true;
      finished.reject(new DeadlineExceededError("the call was interrupted"));
    });
    return finished.promise;
  }).catch((error: unknown) => error);
  return { outcome, finish: finished.resolve, aborted: () => aborted };
}

test("the leases of others are held for as long, and given back", async () => {
  const leases = leasesWith([null]);
  const held = withLeases(
    leases,
    { ...request, also: ["one", "other"] },
    new AbortController().signal,
    (lease) => {
      expect(leases.released).toEqual([]);
      return Promise.resolve(lease.name);
    },
  );
  expect(await held).toBe("e2i_remission");
  expect(leases.released.map(({ name }) => name)).toEqual(["e2i_remission", "other", "one"]);
});

test("a renewal that fails is tried again while the lease lasts, and the work goes on", async () => {
  const leases = leasesWith([gone, gone, null]);
  const work = startWork(leases);
  await vi.advanceTimersByTimeAsync(40_000);
  expect(work.aborted()).toBe(false);
  expect(leases.renewals).toBeGreaterThanOrEqual(4);
  work.finish("done");
  expect(await work.outcome).toBe("done");
  expect(leases.released).toHaveLength(1);
});

test("a lease that cannot be renewed until it runs out ends the work, and says why", async () => {
  const work = startWork(leasesWith([gone]));
  await vi.advanceTimersByTimeAsync(29_900);
  expect(work.aborted()).toBe(false);
  await vi.advanceTimersByTimeAsync(200);
  expect(await work.outcome).toMatchObject({ code: "service_unavailable", cause: gone });
});

test("a renewal that never answers does not outlast the lease", async () => {
  const never = new Promise<void>(() => undefined);
  const work = startWork({ ...leasesWith([null]), renew: () => never });
  await vi.advanceTimersByTimeAsync(30_100);
  expect(await work.outcome).toMatchObject({ code: "service_unavailable" });
});

test("a lease that was granted to somebody else ends the work at once, as the conflict that it is", async () => {
  const leases = leasesWith([stale]);
  const work = startWork(leases);
  await vi.advanceTimersByTimeAsync(10_100);
  expect(await work.outcome).toBe(stale);
  expect(leases.renewals).toBe(1);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(leases.renewals).toBe(1);
});
