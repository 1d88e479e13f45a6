import { readFile } from "node:fs/promises";
import { z } from "zod";
import { ConfigurationError } from "../agents/model_deployer/errors.ts";
import { applyMissing, readMigrations } from "../platform/migrations.ts";
import type { SqlDatabase } from "./connection/pool.ts";
import { anyRow, type Queries } from "./connection/transaction.ts";

export type InstallationKind = "standard" | "demo";

export interface MigrationResult {
  /** Names of the migrations that this call applied, in their order. */
  applied: string[];
  installation: InstallationKind;
}

const DEFAULT_FOLDER = new URL("./migrations/", import.meta.url);

const LEAST_RIGHTS = new URL("./least_rights.sql", import.meta.url);

/** Any fixed number: what matters is that all processes take the same one. */
const LOCK_KEY = 3_141_592_653;

const installationSchema = z.strictObject({ kind: z.enum(["standard", "demo"]) });

/**
 * Brings the connection's database to this version, in one transaction; any number of processes may call it at once, and
 * where nothing is missing, one without the owner's rights too.
 *
 * @throws ConfigurationError when a migration that was applied has changed since, when the database knows one that
 * this version does not, or when the database was created as the other kind of installation.
 */
export async function migrate(
  database: SqlDatabase,
  options: { installation: InstallationKind | "existing"; folder?: URL },
): Promise<MigrationResult> {
  const migrations = await readMigrations(options.folder ?? DEFAULT_FOLDER);
  return database.transaction(async (tx) => {
    await tx.query(anyRow, "select pg_advisory_xact_lock($1)", [LOCK_KEY]);
    const run = (sql: string, parameters?: unknown[]) => tx.query(anyRow, sql, parameters);
    const applied = await applyMissing(run, "schema_migrations", migrations);
    const installation = await fixInstallation(tx, options.installation);
    await tx.query(anyRow, await readFile(LEAST_RIGHTS, "utf8"));
    return { applied, installation };
  });
}

/** How many migrations of this version the database has not seen; `query` returns rows. */
export async function countMissing(query: (sql: string) => Promise<{ name: string }[]>): Promise<number> {
  const migrations = await readMigrations(DEFAULT_FOLDER);
  const [table] = await query("select coalesce(to_regclass('schema_migrations')::text, '') as name");
  const applied = table?.name === "" ? [] : await query("select name from schema_migrations");
  const known = new Set(applied.map(({ name }) => name));
  return migrations.filter(({ name }) => !known.has(name)).length;
}

/** `existing` takes the database as what it was created as; a new one becomes a standard one. */
async function fixInstallation(
  tx: Queries,
  wanted: InstallationKind | "existing",
): Promise<InstallationKind> {
  const first = wanted === "existing" ? "standard" : wanted;
  const find = () => tx.query(installationSchema, "select kind from ml_installation");
  let [row] = await find();
  if (row === undefined) {
    await tx.query(anyRow, "insert into ml_installation (kind) values ($1)", [first]);
    [row] = await find();
  }
  if (row !== undefined && wanted === "existing") return row.kind;
  if (row?.kind !== wanted) {
    throw new ConfigurationError(
      `This database was created as ${row?.kind} and cannot be used as ${wanted}; use another database`,
      { details: { found: row?.kind, wanted } },
    );
  }
  return row.kind;
}
