import { createServer } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { z } from "zod";
import {
  ConfigurationError,
  ConflictError,
  ServiceRefusedError,
  ServiceUnavailableError,
} from "../../../src/agents/model_deployer/errors.ts";
import { createDatabase, SqlDatabase } from "../../../src/database/index.ts";
import { createPool, type PoolOptions } from "../../../src/database/connection/pool.ts";
import { Deadline, untilAborted } from "../../../src/agents/base/deadline.ts";
import { FaultProxy } from "../../faults/harness/fault_proxy.ts";
import { createWorld, type World } from "./support.ts";

const anything = z.unknown();

function open({ url }: Pick<World, "url">, options: PoolOptions = {}): SqlDatabase {
  const database = new SqlDatabase(createPool(url, options), options);
  onTestFinished(() => database.close());
  return database;
}

test("an address that is no Postgres URL stops the start and is not shown", () => {
  const create = () => createDatabase({ url: "mysql://root:secret@host/db", holder: "a" });
  expect(create).toThrow(ConfigurationError);
  expect(create).not.toThrow(/secret/);
});

test("a server that does not listen, and one that never answers, are unavailable within the timeout", async () => {
  const refused = open({ url: "postgresql://nobody@127.0.0.1:1/none" });
  await expect(refused.query(anything, "select 1")).rejects.toThrow(ServiceUnavailableError);

  const silent = createServer();
  await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void silent.close());
  const address = silent.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  const blackHole = open({ url: `postgresql://nobody@127.0.0.1:${port}/none` }, { connectionTimeoutMs: 200 });
  await expect(blackHole.query(anything, "select 1")).rejects.toThrow(ServiceUnavailableError);
});

test("a missing database is unavailable, a wrong statement is refused", async () => {
  const world = await createWorld();
  const missing = new URL(world.url);
  missing.pathname = "/md_db_that_does_not_exist";
  await expect(open({ url: missing.href }).query(anything, "select 1")).rejects.toMatchObject({
    service: "postgres",
  });
  await expect(open(world).query(anything, "select nothing_such")).rejects.toThrow(ServiceRefusedError);
});

test("a killed connection is a typed error, ends no process, and the next query has a new one", async () => {
  const world = await createWorld();
  const database = open(world, { maximumConnections: 1 });
  const pidRow = z.strictObject({ pid: z.int() });
  const [victim] = await database.query(pidRow, "select pg_backend_pid() as pid");
  const killed = database.transaction(async (tx) => {
    await tx.query(anything, "create table half_done (id int)");
    await world.sql("select pg_terminate_backend($1)", [victim?.pid]);
    await tx.query(anything, "select 1");
  });
  await expect(killed).rejects.toThrow(ServiceUnavailableError);
  const [next] = await database.query(pidRow, "select pg_backend_pid() as pid");
  expect(next?.pid).not.toBe(victim?.pid);
  await expect(database.query(anything, "select * from half_done")).rejects.toThrow(/half_done/);
});

test("a statement past its time is unavailable, and the pool goes on", async () => {
  const database = open(await createWorld(), { statementTimeoutMs: 100, maximumConnections: 1 });
  await expect(database.query(anything, "select pg_sleep(5)")).rejects.toThrow(ServiceUnavailableError);
  expect(await database.query(anything, "select 1 as one")).toEqual([{ one: 1 }]);
});

test("a typed error inside a transaction rolls it back and keeps the connection", async () => {
  const database = open(await createWorld(), { maximumConnections: 1 });
  const pid = async () => database.query(anything, "select pg_backend_pid()");
  const before = await pid();
  const failing = database.transaction(async (tx) => {
    await tx.query(anything, "insert into ml_leases values ('l', 'h', 1, now(), now())");
    throw new ConflictError("lost");
  });
  await expect(failing).rejects.toThrow(ConflictError);
  expect(await database.query(anything, "select * from ml_leases")).toEqual([]);
  expect(await pid()).toEqual(before);
});

test("a transaction that goes on after a failed statement is not reported as done", async () => {
  const database = open(await createWorld());
  const swallowing = database.transaction(async (tx) => {
    await tx.query(anything, "insert into ml_leases values ('l', 'h', 1, now(), now())");
    await tx.query(anything, "select 1 / 0").catch(() => undefined);
  });
  await expect(swallowing).rejects.toThrow(ServiceRefusedError);
  expect(await database.query(anything, "select * from ml_leases")).toEqual([]);
});

test("two transactions that deadlock both succeed in the end", async () => {
  const world = await createWorld();
  const database = open(world);
  await world.sql("insert into ml_leases values ('a', 'h', 1, now(), now()), ('b', 'h', 1, now(), now())");
  let runs = 0;
  const bothLocked = Promise.withResolvers<undefined>();
  let locked = 0;
  const lockBoth = (first: string, second: string) =>
    database.transaction(async (tx) => {
      runs += 1;
      await tx.query(anything, "update ml_leases set token = token + 1 where name = $1", [first]);
      locked += 1;
      if (locked === 2) bothLocked.resolve(undefined);
      await bothLocked.promise;
      await tx.query(anything, "update ml_leases set token = token + 1 where name = $1", [second]);
    });
  await Promise.all([lockBoth("a", "b"), lockBoth("b", "a")]);
  expect(runs).toBeGreaterThan(2);
  expect(await world.sql("select distinct token::int from ml_leases")).toEqual([{ token: 3 }]);
});

test("an instant is read to the microsecond, with any time zone of the session", async () => {
  const database = open(await createWorld());
  const instant = "2026-01-02T03:04:05.678901Z";
  const row = z.strictObject({ at: z.string() });
  expect(await database.query(row, "select $1::timestamptz as at", [instant])).toEqual([{ at: instant }]);
  const elsewhere = await database.transaction(async (tx) => {
    await tx.query(anything, "set local time zone 'Asia/Kolkata'");
    return tx.query(row, "select $1::timestamptz as at", [instant]);
  });
  expect(elsewhere).toEqual([{ at: "2026-01-02T08:34:05.678901+05:30" }]);
});

test("a server that falls silent is given up at the deadline of the run, whatever is under way", async () => {
  const world = await createWorld();
  const { proxy, url } = await FaultProxy.beforeUrl(world.url);
  const database = open({ url });
  onTestFinished(() => proxy.close());
  await database.query(anything, "select 1");
  await proxy.set("black_hole");
  const late = { code: "service_unavailable", details: { service: "postgres" }, retryable: true };
  const within = async (work: () => Promise<unknown>) => {
    await expect(new Deadline(1200, { of: "a test" }).run(work)).rejects.toMatchObject(late);
    const soon = expect(new Deadline(50, { of: "a test" }).run(work)).rejects;
    await soon.toMatchObject({ code: "deadline_exceeded", retryable: true });
  };
  await within(() => database.query(anything, "select 1"));
  await within(() => database.transaction((tx) => tx.query(anything, "select 1")));
  await proxy.mend();
  await expect.poll(() => database.query(anything, "select 1 as one").catch(() => [])).toEqual([{ one: 1 }]);
});

test("a deadline that was over before names what it cut, and not Postgres", async () => {
  const database = open(await createWorld());
  const over = new Deadline(5, { of: "a look at a rollout" });
  await expect(untilAborted(over.signal, () => new Promise(() => undefined))).rejects.toThrow();
  await expect(over.run(() => database.query(anything, "select 1"))).rejects.toMatchObject({
    code: "deadline_exceeded",
    message: "Postgres was not asked any more, for the 5 ms of a look at a rollout were over.",
  });
  expect(await database.query(anything, "select 1 as one")).toEqual([{ one: 1 }]);
});

test("a process that uses all of its connections is told so, and does not blame the server", async () => {
  const world = await createWorld();
  const database = open({ url: world.url }, { maximumConnections: 1, connectionTimeoutMs: 200 });
  const [begun, held] = [Promise.withResolvers<undefined>(), Promise.withResolvers<undefined>()];
  const working = database.transaction(async (tx) => {
    await tx.query(anything, "select 1");
    begun.resolve(undefined);
    await held.promise;
  });
  await begun.promise;
  await expect(database.query(anything, "select 1")).rejects.toThrow(/connections of this process.*in use/);
  held.resolve(undefined);
  await working;
});

test("a connection that breaks before anything was asked is made again", async () => {
  const world = await createWorld();
  const { proxy, url } = await FaultProxy.beforeUrl(world.url);
  const database = open({ url });
  onTestFinished(() => proxy.close());
  await proxy.set("reset", { times: 2 });
  expect(await database.query(anything, "select 1 as one")).toEqual([{ one: 1 }]);
});

test("a server that says nothing is waited for no longer than the run bears, and the error says what to do", async () => {
  const world = await createWorld();
  const { proxy, url } = await FaultProxy.beforeUrl(world.url);
  onTestFinished(() => proxy.close());
  const database = open({ url });
  await database.query(anything, "select 1");
  await proxy.set("black_hole");
  const run = new Deadline(600_000, { of: "a test" }).withSilence(100);
  const asked = run.run(() => database.query(anything, "select 1"));
  await expect(asked).rejects.toMatchObject({ code: "service_unavailable", retryable: true });
  await expect(asked).rejects.toThrow(/said nothing for 0.1 s.*ask the same again/);
});

test("of works that go out together what is raised is what would be, one after the other", async () => {
  const database = open(await createWorld());
  await database.query(anything, "create table counted (id int primary key)");
  const lost = database.transaction((tx) =>
    tx.together(
      async () => {
        const rows = await tx.query(anything, "update counted set id = 2 where id = 1 returning id");
        if (rows.length === 0) throw new ConflictError("there is no 1");
      },
      () => tx.query(anything, "select nothing_such"),
    ),
  );
  await expect(lost).rejects.toThrow("there is no 1");
  const seen = await database.transaction((tx) =>
    tx.together(
      () => tx.query(anything, "insert into counted values ($1) returning id", [7]),
      () => tx.query(anything, "update counted set id = id + 1 returning id"),
    ),
  );
  expect(seen).toEqual([{ id: 7 }]);
  expect(await database.query(anything, "select id from counted")).toEqual([{ id: 8 }]);
});
