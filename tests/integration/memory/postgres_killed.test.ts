import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SupabaseEpisodicMemory } from "../../../src/memory/episodic_memory.ts";
import { migrateMemory } from "../../../src/memory/migrate_memory.ts";
import { SupabaseProceduralMemory } from "../../../src/memory/procedural_memory.ts";
import { createMemoryClient, type MemoryClient } from "../../../src/memory/supabase_client.ts";
import {
  callOptions,
  exampleEpisode,
  exampleProcedure,
  uniqueName,
} from "../../../src/testing/contracts/memory/examples.ts";
import { pollUntil } from "../../../src/testing/poll.ts";
import { createKillablePostgres, type KillablePostgres } from "../../support/services/killable_postgres.ts";

describe("a Postgres that is killed under the development default", () => {
  const unavailable = { code: "service_unavailable", service: "supabase", retryable: true };
  const opened: MemoryClient[] = [];
  let postgres: KillablePostgres;

  const open = () => {
    const memory = createMemoryClient({ databaseUrl: postgres.url });
    opened.push(memory);
    return memory;
  };

  beforeAll(async () => {
    postgres = await createKillablePostgres();
  });

  afterAll(async () => {
    await Promise.all(opened.map((memory) => memory.close()));
    await postgres.remove();
  });

  it("is a typed error to the migration and to each memory while it is not there", async () => {
    const migrated = migrateMemory(postgres.url, { signal: AbortSignal.timeout(10_000) });
    await expect(migrated).rejects.toMatchObject({ code: "service_unavailable", service: "postgres" });
    const stored = new SupabaseEpisodicMemory(open()).store(exampleEpisode(), callOptions());
    await expect(stored).rejects.toMatchObject(unavailable);
  });

  it("leaves the process alive, with typed errors, and is used again when it is back", async () => {
    await postgres.start();
    await migrateMemory(postgres.url, { signal: AbortSignal.timeout(30_000) });
    const memory = open();
    const episodic = new SupabaseEpisodicMemory(memory);
    const procedural = new SupabaseProceduralMemory(memory);
    const endpoint_name = uniqueName("endpoint");
    const before = exampleEpisode({ endpoint_name, description: "before" });
    await episodic.store(before, callOptions());

    await postgres.kill();
    const during = exampleEpisode({ endpoint_name, description: "during" });
    await expect(episodic.store(during, callOptions())).rejects.toMatchObject(unavailable);
    await expect(episodic.recent({ limit: 1 }, callOptions())).rejects.toMatchObject(unavailable);
    await expect(procedural.experience("any", callOptions())).rejects.toMatchObject(unavailable);

    await postgres.start();
    await pollUntil(() => episodic.store(during, callOptions()).then(() => true), {
      deadlineMs: 120_000,
      what: "write after Postgres came back",
    });
    const found = await episodic.recent({ endpoint_name, limit: 5 }, callOptions());
    expect(found.map((episode) => episode.description).sort()).toEqual(["before", "during"]);
  });

  it("may be killed while many requests are under way; what was told to be stored is there", async () => {
    const memory = open();
    const episodic = new SupabaseEpisodicMemory(memory);
    const procedural = new SupabaseProceduralMemory(memory);
    const endpoint_name = uniqueName("endpoint");
    const procedure = exampleProcedure();
    const episodes = Array.from({ length: 40 }, () => exampleEpisode({ endpoint_name }));
    const use = (dedupe_key: string) => ({ dedupe_key, succeeded: true, duration_ms: 1 });
    const write = async (dedupe_key: string, index: number) => {
      const episode = episodes[index];
      if (episode !== undefined) await episodic.store(episode, callOptions());
      await procedural.recordUse(procedure, use(dedupe_key), callOptions());
    };
    await episodic.recent({ limit: 1 }, callOptions());
    const keys = episodes.map((episode) => episode.dedupe_key);
    const writes = Promise.allSettled(keys.map(write));
    await postgres.kill();
    for (const outcome of await writes) {
      if (outcome.status === "rejected") expect(outcome.reason).toMatchObject(unavailable);
    }

    await postgres.start();
    await pollUntil(() => Promise.all(keys.map(write)).then(() => true), {
      deadlineMs: 120_000,
      what: "second try of all writes",
    });
    expect(await episodic.recent({ endpoint_name, limit: 100 }, callOptions())).toHaveLength(40);
    const experience = await procedural.experience(procedure.trigger_pattern, callOptions());
    expect(experience).toEqual({ usage_count: 40, success_count: 40 });
  });
});
