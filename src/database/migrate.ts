import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { z } from "zod";
import { ConfigurationError } from "../agents/model_deployer/errors.ts";
import { anyRow, type Database, type Queries } from "./pool.ts";

export type InstallationKind = "standard" | "demo";

export interface MigrationResult {
  /** Names of the migrations that this call applied, in their order. */
  applied: string[];
  installation: InstallationKind;
}

interface Migration {
  name: string;
  sql: string;
  checksum: string;
}

const DEFAULT_FOLDER = new URL("./migrations/", import.meta.url);

const LEAST_RIGHTS = new URL("./least_rights.sql", import.meta.url);

/** Any fixed number: what matters is that all processes take the same one. */
const LOCK_KEY = 3_141_592_653;

const recordedSchema = z.strictObject({ name: z.string(), checksum: z.string() });
const installationSchema = z.strictObject({ kind: z.enum(["standard", "demo"]) });

/**
 * Brings the connection's database to this version, in one transaction; any number of processes may call it at once, and
 * where nothing is missing, one without the owner's rights too.
 *
 * @throws ConfigurationError when a migration that was applied has changed since, when the database knows one that
 * this version does not, or when the database was created as the other kind of installation.
 */
export async function migrate(
  database: Database,
  options: { installation: InstallationKind | "existing"; folder?: URL },
): Promise<MigrationResult> {
  const migrations = await readMigrations(options.folder ?? DEFAULT_FOLDER);
  return database.transaction(async (tx) => {
    await tx.query(anyRow, "select pg_advisory_xact_lock($1)", [LOCK_KEY]);
    const applied = await applyMissing(tx, migrations);
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

async function readMigrations(folder: URL): Promise<Migration[]> {
  const names = (await readdir(folder)).filter((name) => /^\d{4}_\w+\.sql$/.test(name)).sort();
  if (names.length === 0) {
    throw new ConfigurationError(
      `No migrations in ${folder.pathname}; the package was built without its .sql files`,
    );
  }
  return Promise.all(
    names.map(async (name) => {
      const sql = (await readFile(new URL(name, folder), "utf8")).replaceAll("\r\n", "\n");
      return { name, sql, checksum: createHash("sha256").update(sql).digest("hex") };
    }),
  );
}

async function applyMissing(tx: Queries, migrations: Migration[]): Promise<string[]> {
  const tables = await tx.query(anyRow, "select from pg_class where oid = to_regclass('schema_migrations')");
  // Even with `if not exists`, only who may make tables may say so.
  if (tables.length === 0) {
    await tx.query(
      anyRow,
      `create table schema_migrations (
         name text primary key, checksum text not null, applied_at timestamptz not null default clock_timestamp()
       )`,
    );
  }
  const recorded = await tx.query(
    recordedSchema,
    "select name, checksum from schema_migrations order by name",
  );
  refuseDifferences(recorded, migrations);
  const known = new Set(recorded.map(({ name }) => name));
  const missing = migrations.filter(({ name }) => !known.has(name));
  for (const { name, sql, checksum } of missing) {
    await tx.query(anyRow, sql);
    await tx.query(anyRow, "insert into schema_migrations (name, checksum) values ($1, $2)", [
      name,
      checksum,
    ]);
  }
  return missing.map(({ name }) => name);
}

function refuseDifferences(recorded: { name: string; checksum: string }[], migrations: Migration[]): void {
  for (const { name, checksum } of recorded) {
    const migration = migrations.find((candidate) => candidate.name === name);
    if (migration === undefined) {
      throw new ConfigurationError(
        `The database has migration ${name}, which this version does not know; use the version that applied it or a newer one`,
      );
    }
    if (migration.checksum !== checksum) {
      throw new ConfigurationError(
        `Migration ${name} was applied and has been altered since; restore it and put the change into a new migration`,
        { details: { name, applied: checksum, found: migration.checksum } },
      );
    }
  }
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
