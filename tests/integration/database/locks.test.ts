import pg from "pg";
import { expect, onTestFinished, test } from "vitest";
import { claim, createWorld, openEndpointWith, want } from "./support.ts";

test("nobody is granted the lease while a write under it is being committed", async () => {
  const { db, another, sql, url } = await createWorld();
  await openEndpointWith(db, 1);
  const { operation_id: id } = await claim(db);
  const lease = await db.leases.acquire("e2i_exp", { ttl_seconds: 60, preempt: false });
  const blocker = new pg.Client({ connectionString: url });
  blocker.on("error", () => undefined);
  await blocker.connect();
  onTestFinished(() => blocker.end());
  await blocker.query("begin; select from ml_endpoints for update");
  const waiting = async (count: number) => {
    const [row] = await sql(
      "select count(*)::int as waiting from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
    );
    return row?.["waiting"] === count;
  };
  const finish = db.journal.finish(id, { status: "succeeded", result: {} }, [want(0, { d1: 100 })], lease);
  await expect.poll(() => waiting(1)).toBe(true);
  const preempt = another("process-b").leases.acquire("e2i_exp", { ttl_seconds: 60, preempt: true });
  await expect.poll(() => waiting(2)).toBe(true);
  await blocker.query("rollback");
  await finish;
  expect(await preempt).toMatchObject({ holder: "process-b", token: 2 });
  expect(await db.endpoints.get("e2i_exp")).toMatchObject({ generation: 1 });
});

test("the same request from eight processes at one instant is one operation, and each of them gets it", async () => {
  const { another, sql } = await createWorld();
  const processes = Array.from({ length: 8 }, (_, index) => another(`process-${index}`));
  const asked = { payload_hash: "0".repeat(64), action: "deploy", requested_by: "ana", request: {} } as const;
  for (let round = 0; round < 100; round += 1) {
    const request = { ...asked, request_id: `round-${round}` };
    const claimed = await Promise.all(processes.map(({ journal }) => journal.claim(request)));
    expect(new Set(claimed.map(({ operation_id: id }) => id)).size).toBe(1);
  }
  expect(await sql("select count(*)::int as count from ml_operations")).toEqual([{ count: 100 }]);
});
