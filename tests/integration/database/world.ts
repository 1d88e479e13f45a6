import { randomUUID } from "node:crypto";
import pg from "pg";
import { afterAll, onTestFinished } from "vitest";
import type { InstallationKind } from "../../../src/database/migrate.ts";
import { createDatabase, type DeployerDatabase } from "../../../src/database/index.ts";
import { secondsOf, type Duration } from "../../../src/testing/clock.ts";
import { experiment } from "../../../src/testing/contracts/database/fixtures.ts";
import { createTestDatabase } from "../../support/databases.ts";

export interface World {
  url: string;
  db: DeployerDatabase;
  /** Another process on the same database. */
  another: (holder: string) => DeployerDatabase;
  /** Raw SQL past all of the product's code. */
  sql: (text: string, values?: unknown[]) => Promise<Record<string, unknown>[]>;
  /** Dates everything that time decides about so much earlier; the history, which nothing changes, stays. */
  passTime: (by: Duration) => Promise<void>;
}

const DATED: Record<string, string[]> = {
  ml_leases: ["acquired_at", "expires_at"],
  "ml_approvals where used_at is null": ["granted_at", "expires_at"],
  ml_deployments: ["activated_at", "drain_due_at", "stopping_until"],
  ml_rollouts: ["step_started_at", "next_tick_at", "claimed_until"],
  ml_outbox: ["next_attempt_at"],
};

function statementsOf(by: Duration): string {
  const earlier = `- make_interval(secs => ${secondsOf(by)})`;
  const statements = Object.entries(DATED).map(([rows, columns]) => {
    const [table = "", condition = ""] = rows.split(/(?= where )/);
    const assignments = columns.map((column) => `${column} = ${column} ${earlier}`);
    return `update ${table} set ${assignments.join(", ")}${condition}`;
  });
  return statements.join("; ");
}

let shared: ReturnType<typeof createTestDatabase> | undefined;
afterAll(async () => {
  if (shared !== undefined) await (await shared).drop();
});

/** A schema of its own in the file's database: to make one is much cheaper than to make a database. */
async function createSchema(): Promise<string> {
  shared ??= createTestDatabase();
  const schema = `world_${randomUUID().replaceAll("-", "")}`;
  const url = new URL((await shared).url);
  await createSchemaAt(url.href, schema);
  url.searchParams.set("options", `-c search_path=${schema}`);
  return url.href;
}

async function createSchemaAt(url: string, schema: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(`create schema ${schema}`).finally(() => client.end());
}

/** A migrated database with one experiment, `exp`; what is open on it is closed when the test has finished. */
export async function createWorld(installation: InstallationKind = "standard"): Promise<World> {
  const world = await createEmptyWorld(installation);
  await world.db.experiments.create(experiment, "tester");
  return world;
}

export async function createEmptyWorld(installation: InstallationKind): Promise<World> {
  const url = await createSchema();
  const opened: DeployerDatabase[] = [];
  const raw = new pg.Pool({ connectionString: url, max: 2 });
  // Its sockets may still be closing when the database is dropped.
  raw.on("connect", (client) => client.on("error", () => undefined));
  raw.on("error", () => undefined);
  onTestFinished(async () => {
    await Promise.all([raw.end(), ...opened.map((database) => database.close())]);
  });
  const another = (holder: string) => {
    const database = createDatabase({ url, holder });
    opened.push(database);
    return database;
  };
  const db = another("process-a");
  await db.migrate({ installation });
  return {
    url,
    db,
    another,
    sql: async (text, values) => (await raw.query<Record<string, unknown>>(text, values)).rows,
    passTime: async (by) => {
      await raw.query(statementsOf(by));
    },
  };
}
