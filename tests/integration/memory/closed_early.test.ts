import pg from "pg";
import { expect, onTestFinished, test, vi } from "vitest";
import { SupabaseEpisodicMemory } from "../../../src/memory/episodic_memory.ts";
import { migrateMemory } from "../../../src/memory/migrate_memory.ts";
import { createMemoryClient } from "../../../src/memory/supabase_client.ts";
import { callOptions } from "../../../src/testing/contracts/memory/examples.ts";
import { pollUntil } from "../../../src/testing/poll.ts";
import { createTestDatabase } from "../../support/services/databases.ts";

/** Whoever reads episodes waits until `release`. */
async function lockedEpisodes(url: string) {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query("begin; lock table public.episodic_memories in access exclusive mode");
  const waiting = async () => {
    const { rowCount } = await client.query("select 1 from pg_locks where not granted");
    return (rowCount ?? 0) > 0 || null;
  };
  const release = async () => {
    await client.query("commit");
    await client.end();
  };
  return { waiting, release };
}

test("a memory that is closed while it is asked answers, leaves nothing on the terminal, and refuses what comes later", async () => {
  const database = await createTestDatabase();
  onTestFinished(() => database.drop());
  await migrateMemory(database.url, { signal: AbortSignal.timeout(120_000) });
  const lock = await lockedEpisodes(database.url);
  const printed = vi.spyOn(console, "error").mockImplementation(() => undefined);
  onTestFinished(() => printed.mockRestore());
  const memory = createMemoryClient({ databaseUrl: database.url });
  const episodes = new SupabaseEpisodicMemory(memory);
  const client = await memory.client();
  const asked = episodes.recent({ limit: 1 }, callOptions());
  await pollUntil(lock.waiting, { deadlineMs: 120_000, what: "the question to reach Postgres" });
  const closing = memory.close();
  await lock.release();
  await closing;
  expect(await asked).toEqual([]);
  const later = await client.from("episodic_memories").select("dedupe_key");
  expect(later).toMatchObject({ data: null, status: 503, error: { code: "PGRST001" } });
  expect(printed).not.toHaveBeenCalled();
});
