import { randomUUID } from "node:crypto";
import pg from "pg";
import { afterAll, onTestFinished } from "vitest";
import type { InstallationKind } from "../../../src/database/migrate.ts";
import { experiment } from "../../../src/testing/contracts/database/fixtures.ts";
import { createTestDatabase } from "../../support/services/databases.ts";
import { openWorld, type World } from "../../support/world.ts";

export type { World } from "../../support/world.ts";

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
  const world = await openWorld(await createSchema(), installation);
  onTestFinished(() => world.close());
  return world;
}
