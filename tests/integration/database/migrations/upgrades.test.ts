import { cp, mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import { createDatabase, migrate, SqlDatabase } from "../../../../src/database/index.ts";
import { createPool } from "../../../../src/database/connection/pool.ts";
import { pollUntil } from "../../../../src/testing/poll.ts";
import { createTestDatabase } from "../../../support/services/databases.ts";
import { apply, observe, want } from "../support.ts";

/** The last migration of each released version, and its rows in `released/`. */
const RELEASED = [{ version: "0.1.0", last: "0016_decided_stays.sql" }];
const MIGRATIONS = new URL("../../../../src/database/migrations/", import.meta.url);

/** A database as that version left it. */
async function givenReleased({ version, last }: (typeof RELEASED)[number]) {
  const database = await createTestDatabase();
  const path = await mkdtemp(join(tmpdir(), "migrations-"));
  onTestFinished(async () => {
    await rm(path, { recursive: true, force: true });
    await database.drop();
  });
  await cp(MIGRATIONS, path, { recursive: true });
  for (const name of await readdir(path)) if (name > last) await rm(join(path, name));
  const owner = new SqlDatabase(createPool(database.url));
  await migrate(owner, { installation: "standard", folder: pathToFileURL(`${path}/`) });
  await owner.close();
  const rows = await readFile(new URL(`./released/${version}.sql`, import.meta.url), "utf8");
  await database.query(`set session_replication_role = replica; ${rows}`);
  return { url: database.url, sql: (text: string) => database.query(text) };
}

function open(url: string) {
  const db = createDatabase({ url, holder: `test:${crypto.randomUUID()}` });
  onTestFinished(() => db.close());
  return db;
}

/** What a worker of version 0.1.0 writes at each look, in that version's words. */
const OLD_WORKER = `
  insert into ml_workers (worker) values ('old') on conflict (worker) do update set seen_at = clock_timestamp(), ended_at = null;
  update ml_leases set expires_at = clock_timestamp() + interval '30 s' where name = 'e2i_exp';
  insert into ml_outbox (topic, dedupe_key, payload) values ('episodic_memory', gen_random_uuid()::text, '{}');
  update ml_endpoints set observed_at = clock_timestamp() where endpoint_name = 'e2i_exp';
  insert into ml_outcomes (request_id, outcome, recorded_by) values (gen_random_uuid()::text, '1', 'ana')`;

const deadlockSchema = z.object({ code: z.literal("40P01") });

async function isDone(work: Promise<unknown>): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (error) {
    deadlockSchema.parse(error);
    return false;
  }
}

for (const released of RELEASED) {
  test(`a database of ${released.version} is migrated under load, and a worker of that version works on beside a new one`, async () => {
    const { url, sql } = await givenReleased(released);
    let isOver = false;
    let rounds = 0;
    const oldWorker = (async () => {
      while (!isOver) {
        // Where migration and worker wait for each other, one of them begins again, as each version does.
        if (await isDone(sql(OLD_WORKER))) rounds += 1;
      }
    })();
    const db = open(url);
    const { applied } = await db.migrate({ installation: "existing" });
    expect(applied.length).toBeGreaterThan(0);
    const before = rounds;
    await apply(db, want(1, { d2: 100 }), observe(2));
    await db.workers.seen();
    const isWorkingOn = () => rounds > before + 3;
    await pollUntil(isWorkingOn, { deadlineMs: 120_000, what: "more rounds of the old worker" });
    isOver = true;
    await oldWorker;
    const [sent] = await sql("select count(*)::int as count from ml_outbox");
    expect(sent?.["count"]).toBe(rounds);
    expect((await db.overview.workers()).map(({ worker }) => worker)).toContain("old");
    expect(await db.endpoints.get("e2i_exp")).toMatchObject({ generation: 2, weights: { d2: 100 } });
  });

  test(`what ${released.version} wrote is read: versions, routes, history, and plans of operations that have not ended`, async () => {
    const { url, sql } = await givenReleased(released);
    const tables = [
      "ml_model_registry",
      "ml_operations",
      "ml_deployments",
      "ml_traffic_history",
      "ml_stage_history",
    ];
    const counts = () =>
      Promise.all(
        tables.map(async (table) => (await sql(`select count(*)::int as n from ${table}`))[0]?.["n"]),
      );
    const before = await counts();
    const db = open(url);
    await db.migrate({ installation: "existing" });
    expect(await counts()).toEqual(before);
    const opened = await db.overview.openOperations();
    expect(opened.map(({ status }) => status).sort()).toEqual([
      "awaiting_approval",
      "planned",
      "planned",
      "planned",
    ]);
    for (const { operation_id, status } of opened) {
      const operation = await db.operations.get(operation_id);
      expect(operation?.plan, status).toMatchObject({ steps: [] });
    }
    const [facts] = await db.reconciliation.endpoints({ after: null, limit: 10 });
    expect(facts?.served.map(({ deployment }) => deployment.deployment_id)).toEqual(["d1"]);
    expect((await db.rollbackFacts.waysBack("e2i_exp"))?.served).toHaveLength(1);
    const needed = (await db.keeping.needed()).map(({ model_version_id: id }) => id);
    expect(new Set(needed)).toEqual(new Set(["mv_1", "mv_2"]));
  });
}
