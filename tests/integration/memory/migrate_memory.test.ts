import { afterEach, beforeEach, describe, expect, inject, it } from "vitest";
import { migrateMemory } from "../../../src/memory/migrate_memory.ts";
import { createScratchDatabase, type ScratchDatabase } from "../../support/services/scratch_database.ts";

const FILES = ["0001_memories.sql", "0002_similar_episodes.sql"];

describe("the migration of the memory tables", () => {
  const options = () => ({ signal: AbortSignal.timeout(120_000) });
  let database: ScratchDatabase;

  beforeEach(async () => {
    database = await createScratchDatabase(inject("databaseUrl"));
  });

  afterEach(() => database.drop());

  it("runs each file once", async () => {
    expect(await migrateMemory(database.url, options())).toEqual(FILES);
    expect(await migrateMemory(database.url, options())).toEqual([]);
  });

  it("is done by one of several that start together", async () => {
    const runs = await Promise.all(Array.from({ length: 4 }, () => migrateMemory(database.url, options())));
    expect(runs.flat()).toEqual(FILES);
  });

  it("refuses a file that has changed since it was run", async () => {
    await migrateMemory(database.url, options());
    await database.query("update memory_migrations set checksum = 'of another content'");
    await expect(migrateMemory(database.url, options())).rejects.toThrow(
      new RegExp(`${FILES[0]} was applied and has been altered since`),
    );
  });

  it("leaves nothing behind when a statement is refused", async () => {
    await database.query("create table procedural_memories (unlike_ours text)");
    await expect(migrateMemory(database.url, options())).rejects.toMatchObject({ code: "service_refused" });
    const [found] = await database.query("select to_regclass('episodic_memories') as it");
    expect(found).toEqual({ it: null });
  });

  it("keeps embeddings as plain numbers where vector is not on offer", async () => {
    const [offer] = await database.query(
      "select count(*)::int as it from pg_available_extensions where name = 'vector'",
    );
    await migrateMemory(database.url, options());
    const [column] = await database.query(
      `select format_type(atttypid, atttypmod) as it from pg_attribute
       where attrelid = 'episodic_memories'::regclass and attname = 'embedding'`,
    );
    expect(column?.it).toMatch(offer?.it === 0 ? /^real\[\]$/ : /vector\(1536\)$/);
  });

  it("does not start after the caller's deadline", async () => {
    const migrated = migrateMemory(database.url, { signal: AbortSignal.abort() });
    await expect(migrated).rejects.toMatchObject({ code: "service_unavailable" });
  });
});
