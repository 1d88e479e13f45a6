import { expect, test } from "vitest";
import { ConflictError } from "../../../agents/model_deployer/errors.ts";
import { claim, openEndpointWith } from "./database_setup.ts";
import { planOf, want } from "./fixtures.ts";
import type { OpenDatabase } from "./harness.ts";

const error = { code: "conflict", message: "No.", details: {} };

export function describeJournalLeases(open: OpenDatabase): void {
  test("what a stale lease writes is refused at begin, record and finish, and as a repair", async () => {
    const { db, another } = await open();
    await openEndpointWith(db, 1);
    const { operation_id: id } = await claim(db);
    const lease = await db.leases.acquire("e2i_exp", { ttl_seconds: 60, preempt: false });
    await db.journal.begin(id, planOf(), lease);
    await another("process-b").leases.acquire("e2i_exp", { ttl_seconds: 60, preempt: true });
    const { operation_id: fresh } = await claim(db);
    const step = { index: 0, step: "apply_route" as const, result: {} };
    const changes = [want(0, { d1: 100 })];
    await expect(db.journal.begin(fresh, planOf(changes), lease)).rejects.toThrow(/process-b holds it/);
    await expect(db.journal.record(id, step, changes, lease)).rejects.toThrow(ConflictError);
    await expect(db.journal.finish(id, { status: "succeeded", result: {} }, changes, lease)).rejects.toThrow(
      ConflictError,
    );
    await expect(db.reconciliation.repair(changes, lease, "reconciler")).rejects.toThrow(ConflictError);
    expect(await db.endpoints.get("e2i_exp")).toMatchObject({ generation: 0 });
    expect(await db.operations.get(id)).toMatchObject({ status: "planned" });
  });

  test("an operation is left alone while its lease lasts, and is listed when that is over", async () => {
    const { db, passTime } = await open();
    const { operation_id: id } = await claim(db);
    const listed = async () =>
      (await db.operations.takeUnfinished(10)).map(({ operation_id }) => operation_id);
    expect(await listed()).toEqual([]);
    const lease = await db.leases.acquire("e2i_exp", { ttl_seconds: 60, preempt: false });
    await db.journal.begin(id, planOf(), lease);
    expect(await listed()).toEqual([]);
    await passTime({ seconds: 61 });
    expect(await listed()).toEqual([id]);
    await db.leases.renew(lease, { ttl_seconds: 60 });
    expect(await listed()).toEqual([]);
    await db.leases.release(lease);
    expect(await listed()).toEqual([id]);
    await db.journal.finish(id, { status: "failed", error }, [], null);
    expect(await listed()).toEqual([]);
  });

  test("one that is prepared is left alone while its lease lasts, holds up no endpoint, and is begun or refused", async () => {
    const { db, passTime } = await open();
    await openEndpointWith(db, 1);
    for (const { operation_id } of await db.operations.takeUnfinished(10)) {
      await db.journal.finish(operation_id, { status: "failed", error }, [], null);
    }
    const { operation_id: id } = await claim(db);
    const lease = await db.leases.acquire(`operation/${id}`, { ttl_seconds: 60, preempt: false });
    await db.journal.prepare(id, planOf([], { summary: "Wait." }), lease);
    expect(await db.operations.get(id)).toMatchObject({ status: "preparing", plan: { summary: "Wait." } });
    expect(await db.operations.takeUnfinished(10)).toEqual([]);
    expect(await db.reconciliation.endpoints({ after: null, limit: 1 })).toMatchObject([{ busy: null }]);
    await passTime({ seconds: 61 });
    expect(await db.operations.takeUnfinished(10)).toMatchObject([{ operation_id: id, status: "preparing" }]);
    await db.leases.acquire(`operation/${id}`, { ttl_seconds: 60, preempt: false });
    await expect(db.journal.prepare(id, planOf(), lease)).rejects.toThrow(ConflictError);
    await db.journal.propose(id, planOf([], { approvals_needed: 1 }), { wait_seconds: 60 });
    expect(await db.operations.takeUnfinished(10)).toEqual([]);
    await db.journal.begin(id, planOf(), null);
    const again = await db.leases.acquire("operation/again", { ttl_seconds: 60, preempt: false });
    await expect(db.journal.prepare(id, planOf(), again)).rejects.toThrow(/it is planned/);
  });

  test("beside a rollback that has begun nothing else begins on its endpoint but another rollback, until it has ended", async () => {
    const { db, passTime } = await open();
    await openEndpointWith(db, 1);
    const leased = async (name = "e2i_exp") => {
      await passTime({ seconds: 61 });
      return db.leases.acquire(name, { ttl_seconds: 60, preempt: false });
    };
    const { operation_id: back } = await claim(db);
    await db.journal.begin(back, planOf([], { preempts: true }), await leased());
    const { operation_id: later } = await claim(db);
    const refused = db.journal.begin(later, planOf([want(0, { d1: 100 })]), await leased());
    await expect(refused).rejects.toMatchObject({
      code: "conflict",
      retryable: true,
      next: [{ action: "resume_operation", command: `model-deployer resume-operation ${back}` }],
    });
    expect(await db.endpoints.get("e2i_exp")).toMatchObject({ generation: 0 });
    const { operation_id: elsewhere } = await claim(db);
    expect(await db.journal.begin(elsewhere, planOf(), await leased("e2i_other"))).toBe(true);
    const { operation_id: another } = await claim(db);
    expect(await db.journal.begin(another, planOf([], { preempts: true }), await leased())).toBe(true);
    for (const id of [back, another]) await db.journal.finish(id, { status: "failed", error }, [], null);
    expect(await db.journal.begin(later, planOf(), await leased())).toBe(true);
  });

  test("operations that fail for ever do not keep the worker from the others: each gets its turn", async () => {
    const { db } = await open();
    const operations = await Promise.all([claim(db), claim(db), claim(db)]);
    for (const { operation_id } of operations) await db.journal.begin(operation_id, planOf(), null);
    const turns: string[] = [];
    for (let turn = 0; turn < 6; turn += 1) {
      turns.push(...(await db.operations.takeUnfinished(1)).map(({ operation_id }) => operation_id));
    }
    expect(turns.slice(0, 3).sort()).toEqual(operations.map(({ operation_id }) => operation_id).sort());
    expect(turns.slice(3)).toEqual(turns.slice(0, 3));
  });

  test("a claim that never began did nothing outside, and is left to whoever asks again", async () => {
    const { db, passTime } = await open();
    await claim(db);
    await passTime({ hours: 1 });
    expect(await db.operations.takeUnfinished(10)).toEqual([]);
  });
}
