import pg from "pg";
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from "vitest";
import { SupabaseEpisodicMemory } from "../../../src/memory/episodic_memory.ts";
import { migrateMemory } from "../../../src/memory/migrate_memory.ts";
import { SupabaseProceduralMemory } from "../../../src/memory/procedural_memory.ts";
import { createMemoryClient, type MemoryClient } from "../../../src/memory/supabase_client.ts";
import { createCheckpoints } from "../../../src/pipeline/checkpoints.ts";
import { describeDatabase } from "../../../src/testing/contracts/database_contract.ts";
import { describeEpisodicMemory } from "../../../src/testing/contracts/memory/episodic_memory_contract.ts";
import { describeProceduralMemory } from "../../../src/testing/contracts/memory/procedural_memory_contract.ts";
import { emptyCheckpoint } from "@langchain/langgraph";
import { checkCheckpoints, checkDatabase } from "../../../src/cli/commands/doctor/doctor_database.ts";
import { createTestDatabase } from "../../support/services/databases.ts";
import { findPgBouncer, type Pooler, startPgBouncer } from "../../support/services/pgbouncer.ts";
import { reusable, type ReusableDatabase } from "../../support/services/reusable_database.ts";
import type { ScratchDatabase } from "../../support/services/scratch_database.ts";
import { openWorld } from "../../support/world.ts";
import { ConfigurationError } from "../../../src/agents/model_deployer/errors.ts";
import { readConfiguration } from "../../../src/wiring/settings/configuration.ts";

const pgbouncer = await findPgBouncer(inject("cacheDirectory"));
if (typeof pgbouncer === "string" && process.env["CI"] === "true") throw new ConfigurationError(pgbouncer);

/** The sessions of so many who come next, each on a connection of the pooler of its own. */
async function sessionsOfOthers(url: string, count = 1) {
  const clients = Array.from({ length: count }, () => new pg.Client({ connectionString: url }));
  try {
    for (const client of clients) await client.connect();
    const asked = clients.map((client) =>
      client.query<Record<string, unknown>>(
        `select current_user::text as role, current_setting('statement_timeout') as statement_timeout,
           current_setting('idle_in_transaction_session_timeout') as idle_timeout`,
      ),
    );
    return (await Promise.all(asked)).flatMap(({ rows }) => rows);
  } finally {
    for (const client of clients) await client.end();
  }
}

const untouched = { role: "postgres", statement_timeout: "0", idle_timeout: "0" };

for (const mode of ["session", "transaction"] as const) {
  describe.skipIf(typeof pgbouncer === "string")(`pgbouncer in ${mode} mode`, () => {
    let pooler: Pooler;
    const databases = new Map<string, ReusableDatabase & { asMigrated: string }>();

    beforeAll(async () => {
      if (typeof pgbouncer === "string") return;
      pooler = await startPgBouncer(pgbouncer, inject("databaseUrl"), mode);
    });
    afterAll(async () => {
      for (const database of databases.values()) {
        // Each test began with a new database's content.
        expect(await database.content()).toBe(database.asMigrated);
        await database.drop();
      }
      await pooler.stop();
    });

    /** One for all tests, one after another: to make one, or a copy, and to drop it took most of the time. */
    async function databaseOf(installation: "standard" | "demo") {
      const made = databases.get(installation);
      if (made !== undefined) return made;
      const scratch = await createTestDatabase();
      await (await openWorld(scratch.url, installation)).close();
      const database = await reusable(scratch);
      const begun = { ...database, asMigrated: await database.content() };
      databases.set(installation, begun);
      return begun;
    }

    async function openThroughPooler(installation: "standard" | "demo") {
      const database = await databaseOf(installation);
      const world = await openWorld(pooler.through(database.url), installation);
      onTestFinished(async () => {
        await world.close();
        await database.reset();
      });
      return world;
    }

    describeDatabase(`through pgbouncer in ${mode} mode`, openThroughPooler);

    describe("the memories", () => {
      let scratch: ScratchDatabase;
      let memory: MemoryClient;
      beforeAll(async () => {
        scratch = await createTestDatabase();
        const url = pooler.through(scratch.url);
        await migrateMemory(url, { signal: AbortSignal.timeout(60_000) });
        memory = createMemoryClient({ databaseUrl: url });
      });
      afterAll(async () => {
        await memory.close();
        await scratch.drop();
      });
      describeEpisodicMemory(mode, (agentName) => new SupabaseEpisodicMemory(memory, { agentName }));
      describeProceduralMemory(mode, () => new SupabaseProceduralMemory(memory));

      it("leave nothing behind on the connection", async () => {
        expect(await sessionsOfOthers(pooler.through(scratch.url))).toEqual([untouched]);
      });
    });

    it("a new database is migrated through it, and what statements set is gone for whoever comes next", async () => {
      if (typeof pgbouncer === "string") return;
      // With no more connections to the server than were used, whoever comes next gets what those before have left.
      const poolSize = { session: 2, transaction: 1 }[mode];
      const narrow = await startPgBouncer(pgbouncer, inject("databaseUrl"), mode, { poolSize });
      onTestFinished(() => narrow.stop());
      const scratch = await createTestDatabase();
      const url = narrow.through(scratch.url);
      const world = await openWorld(url);
      expect(await world.db.rights()).toMatchObject({ role: "model_deployer_app", degraded: null });
      await world.db.leases.acquire("somebody", { ttl_seconds: 1, preempt: false });
      if (mode === "session") await world.close();
      expect(await sessionsOfOthers(url, poolSize)).toEqual(Array(poolSize).fill(untouched));
      if (mode === "transaction") await world.close();
      await narrow.stop();
      await scratch.drop();
    });

    it("the steps of a thread are kept through it", async () => {
      const scratch = await createTestDatabase();
      const checkpointer = await createCheckpoints(pooler.through(scratch.url));
      onTestFinished(async () => {
        await checkpointer.end();
        await scratch.drop();
      });
      await checkpointer.setup();
      const checkpoint = emptyCheckpoint();
      const thread = { configurable: { thread_id: "t", checkpoint_ns: "" } };
      await checkpointer.put(thread, checkpoint, { source: "input", step: -1, parents: {} }, {});
      expect((await checkpointer.getTuple(thread))?.checkpoint.id).toBe(checkpoint.id);
    });

    it("what it cannot take is refused by name, by doctor too, and the rest is not told as many times", async () => {
      const url = new URL(pooler.through(inject("databaseUrl")));
      url.searchParams.set("options", "-c search_path=elsewhere");
      const sentence =
        "The pooler before Postgres refuses options of DATABASE_URL: take it out of the address";
      await expect(openWorld(url.href)).rejects.toMatchObject({ code: "configuration" });
      const checks = await Promise.all(checkDatabase(readConfiguration({ DATABASE_URL: url.href }), {}));
      const [server, ...others] = checks;
      expect(server).toMatchObject({ part: "postgres", state: "down" });
      expect(server?.found).toContain(sentence);
      for (const other of others)
        expect(other).toMatchObject({ found: "not looked at", advice: "see postgres" });
    });

    it("doctor finds all well", async () => {
      const { url } = await openThroughPooler("standard");
      const configuration = { ...readConfiguration({ DATABASE_URL: url }), checkpointsUrl: url };
      const checks = await Promise.all(checkDatabase(configuration, {}));
      const byPart = new Map(checks.map(({ part, state, found }) => [part, `${state}: ${found}`]));
      expect(byPart.get("postgres")).toMatch(/^ok: PostgreSQL \S+ as postgres/);
      expect(byPart.get("rights")).toMatch(/statements run as model_deployer_app/);
      expect(byPart.get("outbox")).toBe("ok: everything is delivered");
      expect((await checkCheckpoints(configuration)).found).toMatch(/^answers/);
    });
  });
}
