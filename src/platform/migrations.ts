import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { z } from "zod";
import { ConfigurationError } from "../agents/model_deployer/errors.ts";

/** One numbered SQL file. */
export interface Migration {
  name: string;
  sql: string;
  checksum: string;
}

/** Runs one statement, or several without parameters, in the transaction of whoever migrates; resolves to its rows. */
export type RunStatement = (sql: string, parameters?: unknown[]) => Promise<unknown>;

const recordedSchema = z.array(z.strictObject({ name: z.string(), checksum: z.string() }));

/** The files `0001_name.sql` of a folder, in their order. @throws ConfigurationError when it has none */
export async function readMigrations(folder: URL): Promise<Migration[]> {
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

/**
 * Runs those that the table `records` does not name yet, and records them. Two that run at once must be kept apart by
 * the caller's lock.
 *
 * @returns the names of those that were run now
 * @throws ConfigurationError when one that was run has been altered since, or the table names one that is not given
 */
export async function applyMissing(
  run: RunStatement,
  records: string,
  migrations: Migration[],
): Promise<string[]> {
  // Even with `if not exists`, only who may make tables may say so.
  const [table] = z
    .array(z.looseObject({ found: z.string().nullable() }))
    .parse(await run("select to_regclass($1)::text as found", [records]));
  if (table?.found === null) {
    await run(
      `create table ${records} (
         name text primary key, checksum text not null, applied_at timestamptz not null default clock_timestamp()
       )`,
    );
  }
  const recorded = recordedSchema.parse(await run(`select name, checksum from ${records} order by name`));
  refuseDifferences(recorded, migrations);
  const known = new Set(recorded.map(({ name }) => name));
  const missing = migrations.filter(({ name }) => !known.has(name));
  for (const { name, sql, checksum } of missing) {
    await run(sql);
    await run(`insert into ${records} (name, checksum) values ($1, $2)`, [name, checksum]);
  }
  return missing.map(({ name }) => name);
}

function refuseDifferences(recorded: Omit<Migration, "sql">[], migrations: Migration[]): void {
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
