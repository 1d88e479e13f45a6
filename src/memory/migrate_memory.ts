import pg from "pg";
import type { CallOptions } from "../agents/model_deployer/ports/call_options.ts";
import {
  ConfigurationError,
  ServiceRefusedError,
  ServiceUnavailableError,
} from "../agents/model_deployer/errors.ts";
import { applyMissing, type Migration, readMigrations } from "../platform/migrations.ts";

const folder = new URL("./migrations/", import.meta.url);

/**
 * Brings the memory tables of a Postgres up to date: runs the numbered files that were not run there yet, all in one
 * transaction, one migrator at a time. For a Supabase project give its direct Postgres URL, or run the files there.
 *
 * @returns the names of the files that were run now
 * @throws ServiceUnavailableError when Postgres does not answer
 * @throws ServiceRefusedError when it refuses a statement
 * @throws ConfigurationError when a file that was run has been altered since
 */
export async function migrateMemory(databaseUrl: string, options: CallOptions): Promise<string[]> {
  const migrations = await readMigrations(folder);
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
    return await migrateInOneTransaction(client, migrations);
  } catch (cause) {
    throw asTyped(cause);
  } finally {
    options.signal.removeEventListener("abort", onAbort);
    await client.end();
  }
}

async function migrateInOneTransaction(client: pg.Client, migrations: Migration[]): Promise<string[]> {
  const run = async (sql: string, parameters?: unknown[]): Promise<unknown> =>
    (await client.query(sql, parameters)).rows;
  await run("begin");
  await run("select pg_advisory_xact_lock(hashtextextended('model_deployer.memory_migrations', 0))");
  const applied = await applyMissing(run, "public.memory_migrations", migrations);
  // Supabase shows every table of this schema to its REST API; with no policy nobody reads it there.
  if (applied.length > 0) await run("alter table public.memory_migrations enable row level security");
  await run("commit");
  return applied;
}

function asTyped(cause: unknown): Error {
  if (cause instanceof ConfigurationError) return cause;
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
