import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { Redis } from "ioredis";
import pg from "pg";
import { afterEach, beforeEach, expect, inject, it } from "vitest";
import { z } from "zod";
import { serviceRunDirectory } from "../../../src/platform/services/local_service.ts";
import { startLocalServices, stopLocalServices } from "../../../src/platform/services/local_services.ts";
import { reviveServices } from "../../../src/platform/services/revived_services.ts";
import { findProcess, listProcesses } from "../../../src/platform/processes/managed_process.ts";
import { readProcess } from "../../../src/platform/processes/process_table.ts";
import { pollUntil } from "../../../src/testing/poll.ts";

const user = fileURLToPath(new URL("./programs/services_user.ts", import.meta.url));
const cacheDirectory = inject("cacheDirectory");
const need = { postgres: true, redis: true, mlflow: false };
let homeDirectory = "";

beforeEach(async () => {
  homeDirectory = await mkdtemp(join(tmpdir(), "model-deployer-services-"));
});

afterEach(async () => {
  await stopLocalServices(homeDirectory);
  await rm(homeDirectory, { recursive: true });
});

async function query(url: string | undefined, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  return client
    .query<Record<string, unknown>>(sql)
    .then((result) => result.rows)
    .finally(() => client.end());
}

async function processes() {
  const found = await listProcesses(serviceRunDirectory(homeDirectory));
  return found.sort((a, b) => a.name.localeCompare(b.name));
}

it("brings up one of each for all who ask at once, and ends them with their workers", async () => {
  const run = promisify(execFile);
  const [here, ...others] = await Promise.all([
    startLocalServices({ homeDirectory, cacheDirectory, need }),
    run(process.execPath, [user, homeDirectory, cacheDirectory]),
    run(process.execPath, [user, homeDirectory, cacheDirectory]),
  ]);
  const addresses = { databaseUrl: here.databaseUrl, redisUrl: here.redisUrl };
  for (const other of others) expect(JSON.parse(other.stdout)).toEqual(addresses);
  expect(here.mlflowUrl).toBeUndefined();

  const running = await processes();
  expect(running.map((entry) => entry.name)).toEqual(["postgres", "redis"]);
  expect(await query(here.databaseUrl, "select current_database() as name")).toEqual([
    { name: "model_deployer" },
  ]);
  const redis = new Redis(here.redisUrl ?? "");
  expect(await redis.ping()).toBe("PONG");
  redis.disconnect();

  await here.stop();
  expect(await processes()).toEqual([]);
  for (const { pid } of running) expect(await readProcess(pid)).toBeNull();
});

it("keeps its data and its addresses over a stop and over a SIGKILL", async () => {
  const first = await startLocalServices({ homeDirectory, cacheDirectory, need });
  await query(first.databaseOwnerUrl, "create table kept as select 1 as one");
  await first.stop();
  const second = await startLocalServices({ homeDirectory, cacheDirectory, need });
  expect(second).toMatchObject({ databaseUrl: first.databaseUrl, redisUrl: first.redisUrl });
  expect(await query(second.databaseOwnerUrl, "table kept")).toEqual([{ one: 1 }]);

  const postgres = await findProcess(serviceRunDirectory(homeDirectory), "postgres");
  if (postgres !== null) process.kill(postgres.pid, "SIGKILL");
  await pollUntil(async () => (await findProcess(serviceRunDirectory(homeDirectory), "postgres")) === null, {
    deadlineMs: 120_000,
    what: "end of Postgres",
  });
  const third = await startLocalServices({ homeDirectory, cacheDirectory, need });
  expect(await query(third.databaseOwnerUrl, "table kept")).toEqual([{ one: 1 }]);
});

it("starts what has died again at its former address, and leaves alone what was stopped", async () => {
  const asked = { homeDirectory, cacheDirectory, need: { postgres: false, redis: true, mlflow: false } };
  const { redisUrl } = await startLocalServices(asked);
  expect(await reviveServices(asked)).toEqual([]);
  const [before] = await processes();
  process.kill(before?.pid ?? 0, "SIGKILL");
  const told = await pollUntil(
    async () => {
      const sentences = await reviveServices(asked);
      return sentences.length > 0 ? sentences : null;
    },
    { deadlineMs: 120_000, what: "a Redis that was started again" },
  );
  expect(told).toEqual([
    expect.stringMatching(/^redis of this home did not run and was started again: redis is ready/),
  ]);
  expect((await startLocalServices(asked)).redisUrl).toBe(redisUrl);

  await stopLocalServices(homeDirectory);
  expect(await reviveServices(asked)).toEqual([]);
  expect(await processes()).toEqual([]);
});

it("gives the deployer a login of Postgres that cannot become the owner, and makes it for an older home too", async () => {
  const only = { ...need, redis: false };
  const { databaseUrl, databaseOwnerUrl } = await startLocalServices({
    homeDirectory,
    cacheDirectory,
    need: only,
  });
  const me =
    "select session_user::text as login, (select rolsuper from pg_roles where rolname = session_user) as super";
  expect(await query(databaseUrl, me)).toEqual([{ login: "model_deployer", super: false }]);
  for (const way of [
    "set role postgres",
    "create table mine ()",
    "create role mine",
    "copy (select 1) to program 'cat'",
  ]) {
    await expect(query(databaseUrl, way), way).rejects.toMatchObject({ code: "42501" });
  }
  await query(databaseOwnerUrl, "drop role model_deployer");
  const again = await startLocalServices({ homeDirectory, cacheDirectory, need: only });
  expect(await query(again.databaseUrl, me)).toEqual([{ login: "model_deployer", super: false }]);
});

it("moves to another port when its own was taken meanwhile", async () => {
  const only = { ...need, redis: false };
  const first = await startLocalServices({ homeDirectory, cacheDirectory, need: only });
  await first.stop();
  const port = Number(new URL(first.databaseUrl ?? "").port);
  const squatter = createServer().listen(port, "127.0.0.1");
  await once(squatter, "listening");
  try {
    const second = await startLocalServices({ homeDirectory, cacheDirectory, need: only });
    expect(new URL(second.databaseUrl ?? "").port).not.toBe(String(port));
  } finally {
    squatter.close();
  }
});

it("names the cause out of the log when a service cannot start, and leaves nothing running", async () => {
  const only = { ...need, redis: false };
  const first = await startLocalServices({ homeDirectory, cacheDirectory, need: only });
  const shown = await query(first.databaseOwnerUrl, "show data_directory");
  await first.stop();
  const data = z.array(z.object({ data_directory: z.string() })).parse(shown)[0]?.data_directory ?? "";
  const settings = join(data, "postgresql.conf");
  await writeFile(settings, `${await readFile(settings, "utf8")}\nno_such_setting = on\n`);
  const attempt = startLocalServices({ homeDirectory, cacheDirectory, need: only });
  await expect(attempt).rejects.toThrow(/local postgres ended at its start[^]*no_such_setting/);
  await expect(attempt).rejects.toMatchObject({ code: "service_unavailable", service: "postgres" });
  expect(await processes()).toEqual([]);
});
