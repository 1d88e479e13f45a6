import { createClient, type SupabaseClient } from "@supabase/supabase-js";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { type LocalRest, openLocalRest } from "../../../src/memory/local_rest/local_rest.ts";
import { migrateMemory } from "../../../src/memory/migrate_memory.ts";
import { createScratchDatabase, type ScratchDatabase } from "../../support/services/scratch_database.ts";

const KEY = "sb_secret_of_this_test";
let database: ScratchDatabase;
let rest: LocalRest;
let client: SupabaseClient;

const clientOf = (key: string) =>
  createClient("http://memory.invalid", key, {
    auth: { persistSession: false },
    global: { fetch: rest.fetch },
  });

beforeAll(async () => {
  database = await createScratchDatabase(inject("databaseUrl"));
  await migrateMemory(database.url, { signal: AbortSignal.timeout(120_000) });
  await database.query("create table public.notes (id int primary key, note text)");
  await database.query("insert into notes values (1, 'kept')");
  await database.query("grant all on notes to service_role");
  rest = openLocalRest(database.url, KEY);
  client = clientOf(KEY);
});

afterAll(async () => {
  await rest.close();
  await database.drop();
});

test.each([
  ["a filter that it does not know", () => client.from("notes").select("*").gt("id", 0), 400],
  [
    "an order that it does not know",
    () => client.from("notes").select("*").order("id", { nullsFirst: true }),
    400,
  ],
  ["a merge", () => client.from("notes").upsert({ id: 1, note: "new" }), 400],
  ["rows of what was stored", () => client.from("notes").insert({ id: 2, note: "a" }).select(), 400],
  ["a change", () => client.from("notes").update({ note: "new" }).eq("id", 1), 405],
  ["a removal", () => client.from("notes").delete().eq("id", 1), 405],
  ["no rows", () => client.from("notes").insert([]), 400],
  ["a table that is not there", () => client.from("no; drop table notes").select("*"), 404],
  ["a function that is not there", () => client.rpc("pg_sleep", { seconds: 1 }), 404],
  ["a key that is not its own", () => clientOf("another").from("notes").select("*"), 401],
])("refuses %s, and changes nothing", async (_, ask, status) => {
  const reply = await ask();
  expect(reply).toMatchObject({ data: null, status, error: {} });
  expect(await database.query("select * from notes")).toEqual([{ id: 1, note: "kept" }]);
});

test("takes names and values for nothing else", async () => {
  const found = await client.from("notes").select("id").eq("note", "'; drop table notes; --");
  expect(found).toMatchObject({ data: [], status: 200 });
  const missing = await client.from("notes").select('id" from pg_authid; --');
  expect(missing).toMatchObject({ status: 400, error: { code: "42703" } });
});
