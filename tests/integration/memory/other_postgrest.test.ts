import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { SupabaseEpisodicMemory } from "../../../src/memory/episodic_memory.ts";
import { migrateMemory } from "../../../src/memory/migrate_memory.ts";
import { SupabaseProceduralMemory } from "../../../src/memory/procedural_memory.ts";
import { createMemoryClient, type MemoryClient } from "../../../src/memory/supabase_client.ts";
import { childEnvironment } from "../../../src/platform/processes/child_environment.ts";
import {
  callOptions,
  exampleEpisode,
  exampleProcedure,
  uniqueName,
} from "../../../src/testing/contracts/memory/examples.ts";
import { installedPackage } from "../../support/programs/installed_package.ts";
import { createScratchDatabase, type ScratchDatabase } from "../../support/services/scratch_database.ts";

/** Serves somebody else's PostgREST-compatible answers over HTTP and prints its port. */
const SERVER = `
import { createServer } from "node:http";
import { buffer } from "node:stream/consumers";
import { App } from "@supabase/lite";
import { createPostgresConnection } from "@supabase/lite/postgres";
const { DATABASE_URL, SECRET_KEY } = process.env;
const auth = { enabled: false, secret_key: SECRET_KEY, publishable_key: "sb_publishable_none" };
const app = new App({ connection: createPostgresConnection({ url: DATABASE_URL }), auth });
const server = createServer(async (incoming, outgoing) => {
  const { method, url, headers } = incoming;
  const body = method === "GET" ? undefined : await buffer(incoming);
  const reply = await app.fetch(new Request("http://localhost" + url, { method, headers, body }));
  outgoing.writeHead(reply.status, Object.fromEntries(reply.headers));
  outgoing.end(Buffer.from(await reply.arrayBuffer()));
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
`;

const IN_2031 = "2031-01-01T00:00:00.000Z";
const KEY = "sb_secret_of_this_test";

let database: ScratchDatabase;
let server: ChildProcess;
let memory: MemoryClient;

/** The first line that it prints; a server that ends without one is told at once. */
async function portOf({ stdout }: ChildProcess): Promise<string> {
  if (stdout === null) return expect.fail("the server has no output");
  for await (const line of createInterface(stdout)) return line;
  return expect.fail("the server ended without a port");
}

beforeAll(async () => {
  database = await createScratchDatabase(inject("databaseUrl"));
  await migrateMemory(database.url, { signal: AbortSignal.timeout(120_000) });
  const folder = await installedPackage("@supabase/lite", "0.10.0", ["postgres@3.4.9"]);
  const script = join(folder, "serve.mjs");
  await writeFile(script, SERVER);
  server = spawn(process.execPath, [script], {
    env: childEnvironment({ DATABASE_URL: database.url, SECRET_KEY: KEY }),
    stdio: ["ignore", "pipe", "inherit"],
  });
  const port = await portOf(server);
  memory = createMemoryClient({
    supabaseUrl: `http://127.0.0.1:${port}`,
    supabaseKey: KEY,
    databaseUrl: "",
  });
});

afterAll(async () => {
  const ended = once(server, "exit");
  server.kill("SIGKILL");
  await ended;
  await database.drop();
});

test("another server of PostgREST's API stores an episode once, and finds it by its fields and words", async () => {
  const episodes = new SupabaseEpisodicMemory(memory, { agentName: uniqueName("agent") });
  const endpoint_name = uniqueName("endpoint");
  const older = exampleEpisode({ endpoint_name, description: 'a canary, and its "quotes" & (brackets)' });
  const newer = exampleEpisode({ endpoint_name, description: "rolled back", occurred_at: IN_2031 });
  for (const episode of [older, newer, older]) await episodes.store(episode, callOptions());
  expect(await episodes.recent({ endpoint_name, limit: 5 }, callOptions())).toEqual([newer, older]);
  expect(await episodes.recent({ endpoint_name, limit: 1 }, callOptions())).toEqual([newer]);
  expect(await episodes.recent({ text: "canaries", limit: 5 }, callOptions())).toEqual([older]);
  expect(await episodes.recent({ experiment_id: "none", limit: 5 }, callOptions())).toEqual([]);
});

test("another server of PostgREST's API knows how often a procedure was used", async () => {
  const procedure = exampleProcedure();
  const own = createMemoryClient({ databaseUrl: database.url });
  const use = { dedupe_key: uniqueName("use"), succeeded: true, duration_ms: 1 };
  await new SupabaseProceduralMemory(own).recordUse(procedure, use, callOptions());
  await own.close();
  const experience = new SupabaseProceduralMemory(memory).experience(
    procedure.trigger_pattern,
    callOptions(),
  );
  expect(await experience).toEqual({ usage_count: 1, success_count: 1 });
});
