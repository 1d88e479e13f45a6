import { cp, mkdtemp, appendFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { ConfigurationError } from "../../../../src/agents/model_deployer/errors.ts";
import { SqlDatabase, migrate } from "../../../../src/database/index.ts";
import { createPool } from "../../../../src/database/connection/pool.ts";
import { createTestDatabase } from "../../../support/services/databases.ts";
import { createWorld } from "../support.ts";

const MIGRATIONS = new URL("../../../../src/database/migrations/", import.meta.url);

async function emptyDatabase(): Promise<() => SqlDatabase> {
  const { url, ...created } = await createTestDatabase();
  const opened: SqlDatabase[] = [];
  onTestFinished(async () => {
    await Promise.all(opened.map((database) => database.close()));
    await created.drop();
  });
  return () => {
    const database = new SqlDatabase(createPool(url));
    opened.push(database);
    return database;
  };
}

async function copyOfMigrations(): Promise<{ folder: URL; path: string }> {
  const path = await mkdtemp(join(tmpdir(), "migrations-"));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  await cp(MIGRATIONS, path, { recursive: true });
  return { folder: pathToFileURL(`${path}/`), path };
}

test("four processes that migrate at once apply each migration once", async () => {
  const open = await emptyDatabase();
  const results = await Promise.all(
    Array.from({ length: 4 }, () => migrate(open(), { installation: "standard" })),
  );
  const applied = results.flatMap((result) => result.applied);
  expect(applied.length).toBeGreaterThan(0);
  expect(new Set(applied).size).toBe(applied.length);
  expect(await migrate(open(), { installation: "standard" })).toEqual({
    applied: [],
    installation: "standard",
  });
});

test("a migration that was altered after it was applied is refused, and named", async () => {
  const open = await emptyDatabase();
  const { folder, path } = await copyOfMigrations();
  await migrate(open(), { installation: "standard", folder });
  await appendFile(join(path, "0003_deployments_and_endpoints.sql"), "-- a later thought\n");
  await expect(migrate(open(), { installation: "standard", folder })).rejects.toThrow(
    /0003_deployments_and_endpoints.sql was applied and has been altered/,
  );
});

test("a database that is ahead of this version is refused", async () => {
  const open = await emptyDatabase();
  const { folder, path } = await copyOfMigrations();
  await writeFile(join(path, "9999_from_the_future.sql"), "select 1;\n");
  await migrate(open(), { installation: "standard", folder });
  await expect(migrate(open(), { installation: "standard" })).rejects.toThrow(/9999_from_the_future/);
});

test("a migration that fails leaves nothing behind", async () => {
  const open = await emptyDatabase();
  const { folder, path } = await copyOfMigrations();
  await writeFile(join(path, "9999_broken.sql"), "create table half_done (); select no_such_function();\n");
  await expect(migrate(open(), { installation: "standard", folder })).rejects.toThrow(/no_such_function/);
  const result = await migrate(open(), { installation: "demo" });
  expect(result.installation).toBe("demo");
  expect(result.applied).toContain("0001_experiments_and_models.sql");
});

test("a database keeps the kind that it was created as", async () => {
  const world = await createWorld("standard");
  await expect(world.db.migrate({ installation: "demo" })).rejects.toThrow(ConfigurationError);
  await expect(world.sql("update ml_installation set kind = 'demo'")).rejects.toThrow(/append-only/);
  await expect(world.sql("delete from ml_installation")).rejects.toThrow(/append-only/);
  await expect(world.sql("truncate ml_installation")).rejects.toThrow(/append-only/);
  await expect(
    world.sql("insert into ml_installation (only_row, kind) values (false, 'demo')"),
  ).rejects.toThrow(/check constraint/);
});
