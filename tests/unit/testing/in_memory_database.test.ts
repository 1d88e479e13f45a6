import { once } from "node:events";
import { expect, onTestFinished, test, vi } from "vitest";
import { InvalidRequestError } from "../../../src/agents/model_deployer/errors.ts";
import { apply, claim, registerVersions } from "../../../src/testing/contracts/database/database_setup.ts";
import { experiment, versionOf } from "../../../src/testing/contracts/database/fixtures.ts";
import { createInMemoryDatabase, type InMemoryDatabase, TestClock } from "../../../src/testing/index.ts";
import { keepFolder } from "../../../src/testing/in_memory/database/kept_folder.ts";
import { KnownPlans } from "../../../src/testing/in_memory/database/known_plans.ts";
import {
  execution,
  leavesIdle,
  messagesIn,
  planMessage,
  queryMessage,
  WELCOME,
} from "../../../src/testing/in_memory/database/postgres_messages.ts";
import { VirtualConnection } from "../../../src/testing/in_memory/database/virtual_connection.ts";

/** The server's word that it has planned one statement. */
const PLANNED = Buffer.from([0x31, 0, 0, 0, 4]);

const note = (key: string) => ({
  change: "enqueue" as const,
  topic: "episodic_memory" as const,
  dedupe_key: key,
  payload: { said: `"{\\\n${key}` },
});

test("databases that are asked in turn keep apart, and each keeps what it holds", async () => {
  const [one, other] = [await createInMemoryDatabase(), await createInMemoryDatabase()];
  await one.experiments.create(experiment, "ana");
  await other.experiments.create({ ...experiment, experiment_name: "Another" }, "ana");
  await Promise.all([registerVersions(one, 1, 2), registerVersions(other, 3)]);
  const [ofOne, ofOther] = await Promise.all([claim(one), claim(other)]);
  for (const key of ["a", "b"]) await Promise.all([apply(one, note(key)), apply(other, note(key))]);

  expect(await one.experiments.get("exp")).toEqual(experiment);
  expect(await other.experiments.get("exp")).toMatchObject({ experiment_name: "Another" });
  expect(await one.modelVersions.list("exp")).toEqual([versionOf(1), versionOf(2)]);
  expect(await other.modelVersions.list("exp")).toEqual([versionOf(3)]);
  expect(await one.operations.get(ofOne.operation_id)).toEqual(ofOne);
  expect(await one.operations.get(ofOther.operation_id)).toBeNull();
  const entries = await one.outbox.claim(10);
  expect(entries.map(({ entry_id }) => entry_id)).toEqual(["1", "2"]);
  expect(entries).toMatchObject(
    [note("a"), note("b")].map(({ dedupe_key, payload }) => ({ dedupe_key, payload })),
  );
});

test("a copy has the rows of its moment, and each of the two goes its own way from there", async () => {
  const clock = new TestClock();
  const one = await createInMemoryDatabase({ clock });
  await one.experiments.create(experiment, "ana");
  await registerVersions(one, 1);
  await apply(one, note("a"));
  const other = await one.copy(clock.copy());
  await apply(other, note("b"));
  const third = await other.copy(clock.copy());
  await registerVersions(one, 2);
  await apply(one, note("c"));
  await apply(third, note("d"));

  const keysOf = async (database: InMemoryDatabase) =>
    (await database.outbox.claim(10)).map(({ entry_id, dedupe_key }) => `${entry_id} ${dedupe_key}`);
  expect(await keysOf(one)).toEqual(["1 a", "2 c"]);
  expect(await keysOf(other)).toEqual(["1 a", "2 b"]);
  expect(await keysOf(third)).toEqual(["1 a", "2 b", "3 d"]);
  expect(await one.modelVersions.list("exp")).toEqual([versionOf(1), versionOf(2)]);
  expect(await third.modelVersions.list("exp")).toEqual([versionOf(1)]);
});

test("a statement is planned once, and anew once tables have changed or where it was refused", async () => {
  const sent: string[] = [];
  let answer = PLANNED;
  const plans = new KnownPlans({
    send: async (messages) => {
      sent.push([...messagesIn(messages)].map((message) => message.toString("latin1", 5)).join("|"));
      return answer;
    },
  });
  const parts = (sql: string) => Buffer.concat([planMessage("", sql), execution("")]);
  await plans.send(parts("select 1"));
  await plans.send(parts("select 1"));
  expect(sent).toEqual([
    expect.stringMatching(/^known_1\0select 1/),
    expect.stringMatching(/^\0known_1\0[^s]*$/),
  ]);
  await plans.send(queryMessage("alter table x add y int"));
  await plans.send(parts("select 1"));
  expect(sent.at(-1)).toMatch(/^known_2\0select 1/);
  answer = Buffer.alloc(0);
  await plans.send(parts("select 2"));
  await plans.send(parts("select 2"));
  expect(sent.slice(-2)).toEqual([
    expect.stringMatching(/^known_3\0select 2/),
    expect.stringMatching(/^known_4\0select 2/),
  ]);
});

test("what a standard database refuses, a demo beside it takes", async () => {
  const [standard, demo] = [
    await createInMemoryDatabase(),
    await createInMemoryDatabase({ installation: "demo" }),
  ];
  for (const database of [standard, demo]) await database.experiments.create(experiment, "ana");
  const usual = await standard.experiments.getGatePolicy("exp");
  const { policy_id: _id, ...policy } = {
    ...usual,
    kind: "demo" as const,
    minimum_shadow_hours: 0.1,
    reason: "a demo",
  };
  await expect(standard.experiments.setGatePolicy("exp", policy, "ana")).rejects.toThrow(InvalidRequestError);
  expect(await demo.experiments.setGatePolicy("exp", policy, "ana")).toMatchObject({ kind: "demo" });
  expect(await standard.experiments.getGatePolicy("exp")).toEqual(usual);
});

test("the clock and its database read one time after the other, and another database has its own", async () => {
  const clock = new TestClock("2026-01-02T03:04:05Z");
  const [database, other] = [await createInMemoryDatabase({ clock }), await createInMemoryDatabase()];
  const first = await database.clock.now();
  expect(first.slice(0, 19)).toBe("2026-01-02T03:04:05");
  const second = clock.now();
  const third = await database.clock.now();
  expect([first, second, third]).toEqual([...new Set([first, second, third])].sort());
  clock.turn({ days: 365 });
  expect((await other.clock.now()).slice(0, 10)).toBe("2026-06-01");
  expect((await database.clock.now()).slice(0, 19)).toBe("2027-01-02T03:04:05");
});

test("a connection that ends within a transaction has it rolled back, and ends its turn", async () => {
  const sent: string[] = [];
  let turns = 0;
  const connection = new VirtualConnection({
    acquire: async () => {
      turns += 1;
      return async () => {
        turns -= 1;
      };
    },
    send: async (messages) => {
      sent.push(messages.toString("utf8", 5, messages.length - 1));
      return Buffer.from(sent.at(-1) === "begin" ? [0x5a, 0, 0, 0, 5, 0x54] : WELCOME);
    },
  });
  connection.resume();
  connection.write(queryMessage("select"));
  connection.write(queryMessage("begin"));
  await vi.waitFor(() => {
    expect(sent).toEqual(["select", "begin"]);
  });
  expect(turns).toBe(1);
  connection.destroy();
  await once(connection, "close");
  expect(sent).toEqual(["select", "begin", "rollback"]);
  expect(turns).toBe(0);
  expect(leavesIdle(WELCOME)).toBe(true);
});

test("a cache that cannot be written is warned of, and no more", async () => {
  vi.stubEnv("MODEL_DEPLOYER_CACHE", import.meta.filename);
  onTestFinished(() => {
    vi.unstubAllEnvs();
  });
  const warned = once(process, "warning");
  await keepFolder(new URL(import.meta.url), new Blob(["a folder"]));
  expect(String(await warned)).toMatch(/starts slowly.*Set MODEL_DEPLOYER_CACHE/);
});
