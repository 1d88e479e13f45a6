import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import pg from "pg";
import { z } from "zod";
import type { CallOptions } from "../agents/model_deployer/ports.ts";
import { ServiceRefusedError, ServiceUnavailableError } from "../agents/model_deployer/errors.ts";

const folder = new URL("./migrations/", import.meta.url);

const appliedSchema = z.array(z.object({ file_name: z.string(), digest: z.string() }));

/**
 * Brings the memory tables of a Postgres up to date: runs the numbered files that were not run there yet, all in one
 * transaction, one migrator at a time. For a Supabase project give its direct Postgres URL, or run the files there.
 *
 * @returns the names of the files that were run now
 * @throws ServiceUnavailableError when Postgres does not answer
 * @throws ServiceRefusedError when it refuses a statement, or a file that was run has changed since
 */
export async function migrateMemory(databaseUrl: string, options: CallOptions): Promise<string[]> {
  const files = await readMigrations();
  const client = new pg.Client({
    connectionString: databaseUrl,
    connectionTimeoutMillis: 5_000,
    query_timeout: 60_000,
    application_name: "model_deployer_memory_migration",
  });
  // The query under way fails with the same error; without a listener Node would end the process as well.
  client.on("error", () => undefined);
  const onAbort = () => void client.end();
  try {
    options.signal.throwIfAborted();
    options.signal.addEventListener("abort", onAbort, { once: true });
    await client.connect();
    return await applyMissing(client, files);
  } catch (cause) {
    throw asTyped(cause);
  } finally {
    options.signal.removeEventListener("abort", onAbort);
    await client.end();
  }
}

interface Migration {
  file_name: string;
  sql: string;
  digest: string;
}

async function readMigrations(): Promise<Migration[]> {
  const names = (await readdir(folder)).filter((name) => /^\d{4}_\w+\.sql$/.test(name)).sort();
  return Promise.all(
    names.map(async (file_name) => {
      const sql = await readFile(new URL(file_name, folder), "utf8");
      return { file_name, sql, digest: createHash("sha256").update(sql).digest("hex") };
    }),
  );
}

async function applyMissing(client: pg.Client, files: Migration[]): Promise<string[]> {
  await client.query("begin");
  await client.query("select pg_advisory_xact_lock(hashtextextended('model_deployer.memory_migrations', 0))");
  await client.query(
    `create table if not exists public.memory_migrations (
       file_name text primary key, digest text not null, applied_at timestamptz not null default now())`,
  );
  await client.query("alter table public.memory_migrations enable row level security");
  const known = await client.query("select file_name, digest from public.memory_migrations");
  const applied = new Map(appliedSchema.parse(known.rows).map((row) => [row.file_name, row.digest]));
  const now: string[] = [];
  for (const { file_name, sql, digest } of files) {
    const before = applied.get(file_name);
    if (before === digest) continue;
    if (before !== undefined) {
      throw new ServiceRefusedError(
        "postgres",
        `${file_name} has changed since it was run: put it back as it was and add a new file instead`,
      );
    }
    await client.query(sql);
    await client.query("insert into public.memory_migrations (file_name, digest) values ($1, $2)", [
      file_name,
      digest,
    ]);
    now.push(file_name);
  }
  await client.query("commit");
  return now;
}

function asTyped(cause: unknown): Error {
  if (cause instanceof ServiceRefusedError) return cause;
  const said = cause instanceof Error ? cause.message : String(cause);
  const isRefusal = cause instanceof pg.DatabaseError && !/^(08|53|57)/.test(cause.code ?? "");
  if (!isRefusal) {
    return new ServiceUnavailableError("postgres", `could not migrate the memory tables: ${said}`, { cause });
  }
  const wayOut =
    cause.code === "42501" ? "; the role needs to create tables, and service_role where it is missing" : "";
  return new ServiceRefusedError("postgres", `could not migrate the memory tables: ${said}${wayOut}`, {
    cause,
  });
}
