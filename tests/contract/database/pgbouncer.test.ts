import pg from "pg";
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from "vitest";
import { SupabaseEpisodicMemory } from "../../../src/memory/episodic_memory.ts";
import { migrateMemory } from "../../../src/memory/migrate_memory.ts";
import { SupabaseProceduralMemory } from "../../../src/memory/procedural_memory.ts";
import { createMemoryClient, type MemoryClient } from "../../../src/memory/supabase_client.ts";
import { createCheckpoints } from "../../../src/pipeline/checkpoints.ts";
import { describeDatabase } from "../../../src/testing/contracts/database.ts";
import { describeEpisodicMemory } from "../../../src/testing/contracts/memory/episodic_memory.ts";
import { describeProceduralMemory } from "../../../src/testing/contracts/memory/procedural_memory.ts";
import { emptyCheckpoint } from "@langchain/langgraph";
import { checkCheckpoints, checkDatabase } from "../../../src/cli/doctor_database.ts";
import { createTestDatabase } from "../../support/databases.ts";
import { findPgBouncer, type Pooler, startPgBouncer } from "../../support/pgbouncer.ts";
import { createScratchDatabase, type ScratchDatabase } from "../../support/scratch_database.ts";
import { openWorld } from "../../support/world.ts";
import { ConfigurationError } from "../../../src/agents/model_deployer/errors.ts";
import { readConfiguration } from "../../../src/configuration.ts";

const pgbouncer = await findPgBouncer(inject("cacheDirectory"));
if (typeof pgbouncer === "string" && process.env["CI"] === "true") throw new ConfigurationError(pgbouncer);

/** What is wrong with the session of whoever comes next on the same connection of the pooler. */
async function sessionOfAnother(url: string) {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<Record<string, unknown>>(
      `select current_user::text as role, current_setting('statement_timeout') as statement_timeout,
         current_setting('idle_in_transaction_session_timeout') as idle_timeout`,
    );
    return rows[0];
  } finally {
    await client.end();
  }
}

const untouched = { role: "postgres", statement_timeout: "0", idle_timeout: "0" };

for (const mode of ["session", "transaction"] as const) {
  describe.skipIf(typeof pgbouncer === "string")(`pgbouncer in ${mode} mode`, () => {
    let pooler: Pooler;
    const templates = new Map<string, ScratchDatabase>();

    beforeAll(async () => {
      if (typeof pgbouncer === "string") return;
      pooler = await startPgBouncer(pgbouncer, inject("databaseUrl"), mode);
    });
    afterAll(async () => {
      for (const template of templates.values()) await template.drop();
      await pooler.stop();
    });

    /** To copy a migrated database is much cheaper than to migrate one. */
    async function templateOf(installation: "standard" | "demo"): Promise<ScratchDatabase> {
      const made = templates.get(installation) ?? (await createTestDatabase());
      if (!templates.has(installation)) await (await openWorld(made.url, installation)).close();
      templates.set(installation, made);
      return made;
    }

    async function openThroughPooler(installation: "standard" | "demo") {
      const options = { template: await templateOf(installation) };
      const scratch = await createScratchDatabase(inject("databaseUrl"), options);
      const world = await openWorld(pooler.through(scratch.url), installation);
      onTestFinished(async () => {
        await world.close();
        await scratch.drop();
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
        expect(await sessionOfAnother(pooler.through(scratch.url))).toEqual(untouched);
      });
    });

    it("a new database is migrated through it, and what statements set is gone for whoever comes next", async () => {
      if (typeof pgbouncer === "string") return;
      // With one connection to the server each client gets what the one before has left.
      const narrow = await startPgBouncer(pgbouncer, inject("databaseUrl"), mode, { poolSize: 1 });
      onTestFinished(() => narrow.stop());
      const scratch = await createTestDatabase();
      const url = narrow.through(scratch.url);
      const world = await openWorld(url);
      expect(await world.db.rights()).toEqual({ role: "model_deployer_app", degraded: null });
      await world.db.leases.acquire("somebody", { ttl_seconds: 1, preempt: false });
      if (mode === "session") await world.close();
      expect(await sessionOfAnother(url)).toEqual(untouched);
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
      expect(byPart.get("rights")).toMatch(/^ok: statements run as model_deployer_app/);
      expect(byPart.get("outbox")).toBe("ok: everything is delivered");
      expect((await checkCheckpoints(configuration)).found).toMatch(/^answers/);
    });
  });
}
