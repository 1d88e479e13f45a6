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
  await expect.poll(() => waiting(1), { timeout: 5000 }).toBe(true);
  const preempt = another("process-b").leases.acquire("e2i_exp", { ttl_seconds: 60, preempt: true });
  await expect.poll(() => waiting(2), { timeout: 5000 }).toBe(true);
  await blocker.query("rollback");
  await finish;
  expect(await preempt).toMatchObject({ holder: "process-b", token: 2 });
  expect(await db.endpoints.get("e2i_exp")).toMatchObject({ generation: 1 });
});
