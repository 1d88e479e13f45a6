import { expect, test } from "vitest";
import { apply, claim, createWorld, observe, openEndpointWith, want } from "./support.ts";

const LONG_AGO = "2020-01-01T00:00:00Z";
const TOMORROW = new Date(Date.now() + 86_400_000).toISOString();

/** Four versions have served one after the other, and nothing is under way any more. */
async function givenServed() {
  const world = await createWorld();
  await openEndpointWith(world.db, 4);
  for (const [index, id] of ["d1", "d2", "d3", "d4"].entries()) {
    await apply(world.db, want(index, { [id]: 100 }), observe(index + 1));
  }
  await world.sql(`update ml_deployments set status = case deployment_id when 'd4' then 'active' else 'draining' end
    ::deployment_status_enum, drain_due_at = case deployment_id when 'd4' then null else now() end,
    drained_at = case deployment_id when 'd4' then null else now() end`);
  await world.sql(`update ml_operations set status = 'failed', error = '{}', finished_at = now()
    where finished_at is null`);
  const why = async () =>
    Object.fromEntries((await world.db.keeping.needed()).map((one) => [one.model_version_id, one.why]));
  const versions = await world.sql("select deployment_id, model_version_id from ml_deployments order by 1");
  const ids = versions.map(({ model_version_id: id }) => String(id));
  return { ...world, why, ids };
}

test("what serves, its way back and the one behind it are needed, and no more", async () => {
  const { why, ids } = await givenServed();
  const [, second = "", third = "", fourth = ""] = ids;
  const needed = await why();
  expect(new Set(Object.keys(needed))).toEqual(new Set([second, third, fourth]));
  expect(needed[fourth]).toMatch(/^serves on /);
  expect(needed[third]).toMatch(/^is a way back of /);
  expect(needed[second]).toMatch(/^is a way back of /);
});

test("an operation that has not ended keeps the version that it names", async () => {
  const { db, sql, why, ids } = await givenServed();
  const [first = ""] = ids;
  const { operation_id } = await claim(db);
  await sql("alter table ml_operations disable trigger user");
  await sql(`update ml_operations set request = jsonb_build_object('rollback_to', '${first}')
    where operation_id = '${operation_id}'`);
  expect((await why())[first]).toBe(`is needed by operation ${operation_id}`);
  await sql(`update ml_operations set status = 'failed', error = '{}', finished_at = now()
    where operation_id = '${operation_id}'`);
  expect(await why()).not.toHaveProperty(first);
});

test("looks of a rollout go a day after its end and never before; rows of requests go by their age", async () => {
  const { db, sql } = await createWorld();
  await openEndpointWith(db, 2);
  await sql(`insert into ml_rollouts (rollout_id, endpoint_name, experiment_id, deployment_id, baseline_deployment_id, status,
      steps, step_index, step_started_at, inconclusive_looks, judge, judge_state, updated_at)
    select 'r' || n, (select endpoint_name from ml_endpoints), (select experiment_id from ml_endpoints), 'd2', 'd1',
      case n when 1 then 'completed' else 'running' end, '[{}]', 0, now(), 0, '{}', '{}',
      case n when 1 then '${LONG_AGO}'::timestamptz else now() end from generate_series(1, 2) n`);
  await sql(
    `insert into ml_rollout_looks (rollout_id, looked_at, look) values ('r1', now(), '{}'), ('r2', now(), '{}')`,
  );
  await sql(`insert into ml_outcomes (request_id, outcome, recorded_by, recorded_at) values
    ('old', '1', 'ana', '${LONG_AGO}'), ('new', '1', 'ana', now())`);
  const counted = Object.fromEntries(
    (await db.oldRows.count(TOMORROW)).map(({ name, rows }) => [name, rows]),
  );
  expect(counted).toMatchObject({ ml_rollout_looks: 1, ml_outcomes: 2 });
  const yesterday = new Date(Date.now() - 86_400_000).toISOString();
  const removed = Object.fromEntries(
    (await db.oldRows.remove(yesterday)).map(({ name, rows }) => [name, rows]),
  );
  expect(removed).toMatchObject({ ml_rollout_looks: 1, ml_outcomes: 1 });
  expect(await sql("select rollout_id from ml_rollout_looks")).toEqual([{ rollout_id: "r2" }]);
  await expect(sql("delete from ml_rollout_looks")).rejects.toThrow(/append-only while rollout r2 lasts/);
  await sql("update ml_rollouts set status = 'completed'");
  await expect(sql("delete from ml_rollout_looks")).rejects.toThrow(/for 1 day after it/);
  expect(await db.oldRows.endedRollouts(yesterday)).toEqual(["r1"]);
});

test("messages go once they are delivered and a day old, and no others", async () => {
  const { db, sql } = await createWorld();
  await sql(`insert into ml_outbox (topic, dedupe_key, payload, created_at, delivered_at) values
    ('episodic_memory', 'old', '{}', '${LONG_AGO}', '${LONG_AGO}'),
    ('episodic_memory', 'new', '{}', now() - interval '23 hours', now()),
    ('episodic_memory', 'waits', '{}', '${LONG_AGO}', null)`);
  const ofOutbox = (counted: { name: string; rows: number }[]) =>
    counted.find(({ name }) => name === "ml_outbox")?.rows;
  expect(ofOutbox(await db.oldRows.count(LONG_AGO))).toBe(0);
  expect(ofOutbox(await db.oldRows.count(TOMORROW))).toBe(1);
  expect(ofOutbox(await db.oldRows.remove(TOMORROW))).toBe(1);
  expect(await sql("select dedupe_key from ml_outbox order by 1")).toEqual([
    { dedupe_key: "new" },
    { dedupe_key: "waits" },
  ]);
  for (const key of ["new", "waits"]) {
    await expect(sql(`delete from ml_outbox where dedupe_key = '${key}'`)).rejects.toThrow(/kept until/);
  }
});

test("of a shadow's lines that wait for their counterpart the newest hundred thousand stay", async () => {
  const { db, sql } = await createWorld();
  await openEndpointWith(db, 2);
  await sql(`insert into ml_unpaired_predictions (shadow_id, side, request_id, read_at)
    select 'd1', 'shadow', 'r' || n, now() - make_interval(secs => n / 1000.0) from generate_series(1, 100010) n`);
  await sql(`insert into ml_unpaired_predictions (shadow_id, side, request_id, read_at)
    values ('d2', 'shadow', 'r1', now() - interval '9 minutes')`);
  await db.shadowComparisons.forget();
  const left = "select shadow_id, count(*)::int as rows from ml_unpaired_predictions group by 1 order by 1";
  expect(await sql(left)).toEqual([
    { shadow_id: "d1", rows: 100_000 },
    { shadow_id: "d2", rows: 1 },
  ]);
});
