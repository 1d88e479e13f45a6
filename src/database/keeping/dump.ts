import { createReadStream, createWriteStream } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import pg from "pg";
import { from as copyFrom, to as copyTo } from "pg-copy-streams";
import { z } from "zod";
import {
  ConfigurationError,
  ConflictError,
  ServiceUnavailableError,
} from "../../agents/model_deployer/errors.ts";
import { applyMissing, readMigrations } from "../../platform/migrations.ts";

/** Tables of one set of migrations. */
interface TableSet {
  name: "deployer" | "memory";
  /** The table that records which migrations were run. */
  records: string;
  folder: URL;
  /** SQL for a condition on `c`, a row of `pg_class`. */
  tables: string;
}

const SETS: readonly TableSet[] = [
  {
    name: "deployer",
    records: "schema_migrations",
    folder: new URL("../migrations/", import.meta.url),
    tables: "c.relnamespace = current_schema()::regnamespace and c.relname like 'ml\\_%'",
  },
  {
    name: "memory",
    records: "public.memory_migrations",
    folder: new URL("../../memory/migrations/", import.meta.url),
    tables:
      "c.relnamespace = 'public'::regnamespace and c.relname in ('episodic_memories', 'procedural_memories', 'procedural_memory_uses')",
  },
];

const migrationSchema = z.strictObject({ name: z.string(), checksum: z.string() });
const dumpedSetSchema = z.strictObject({
  name: z.enum(["deployer", "memory"]),
  migrations: z.array(migrationSchema),
  /** In an order in which each refers to earlier ones only. */
  tables: z.array(z.strictObject({ table: z.string(), columns: z.array(z.string()), rows: z.int() })),
});
export const databaseDumpSchema = z.array(dumpedSetSchema);
export type DatabaseDump = z.infer<typeof databaseDumpSchema>;
type DumpedSet = DatabaseDump[number];

/** Writes all rows, of one moment, into a file for each table. @param url of the tables' owner */
export async function dumpDatabase(url: string, folder: string): Promise<DatabaseDump> {
  return withClient(url, async (client) => {
    await client.query("begin isolation level repeatable read read only");
    const dump: DatabaseDump = [];
    for (const set of SETS) {
      if (!(await isSo(client, "to_regclass($1) is not null", [set.records]))) continue;
      const migrations = await client.query(`select name, checksum from ${set.records} order by name`);
      const tables: DumpedSet["tables"] = [];
      for (const { table, columns } of await tablesOf(client, set)) {
        const target = createWriteStream(fileOf(folder, set.name, table), { mode: 0o600 });
        const copy = client.query(copyTo(`copy (select ${columns.join(", ")} from ${table}) to stdout`));
        await pipeline(copy, target);
        tables.push({ table, columns, rows: copy.rowCount });
      }
      dump.push({ name: set.name, migrations: z.array(migrationSchema).parse(migrations.rows), tables });
    }
    await client.query("commit");
    return dump;
  });
}

/**
 * Fills an empty database in one transaction: brought to the migrations that the dump was made with, then its rows. The
 * caller migrates it onwards.
 * @param observed by endpoint, the generation that a router has in force; the endpoint's own becomes higher, for a router
 * takes no lower one
 * @throws ConflictError where rows are there already; ConfigurationError for a dump of a newer version
 */
export async function fillDatabase(
  url: string,
  folder: string,
  dump: DatabaseDump,
  observed: ReadonlyMap<string, number>,
): Promise<void> {
  await withClient(url, async (client) => {
    await client.query("begin");
    await client.query("select pg_advisory_xact_lock(3141592653)");
    for (const dumped of dump) {
      const set = SETS.find(({ name }) => name === dumped.name);
      if (set !== undefined) await fillSet(client, set, dumped, folder);
    }
    for (const [endpoint, generation] of observed) {
      await client.query(
        `update ml_endpoints set generation = $2 + 1, wanted_at = clock_timestamp(), wanted_by = 'restore',
           wanted_reason = 'the router was ahead of the backup' where endpoint_name = $1 and generation <= $2`,
        [endpoint, generation],
      );
    }
    await setTriggers(client, dump, "enable");
    await client.query("commit");
  });
}

async function fillSet(client: pg.Client, set: TableSet, dumped: DumpedSet, folder: string): Promise<void> {
  await refuseRows(client, set);
  const all = await readMigrations(set.folder);
  for (const { name, checksum } of dumped.migrations) {
    const known = all.find((one) => one.name === name);
    if (known?.checksum === checksum) continue;
    throw new ConfigurationError(
      `The backup was made by a newer version, or another one: its migration ${name} is ${known === undefined ? "not known here" : "another here"}. Restore it with the version that made it, or a newer one.`,
      { details: { migration: name } },
    );
  }
  const run = async (sql: string, values?: unknown[]): Promise<unknown> =>
    (await client.query(sql, values)).rows;
  const wanted = all.filter(({ name }) => dumped.migrations.some((one) => one.name === name));
  await applyMissing(run, set.records, wanted);
  await setTriggers(client, [dumped], "disable");
  for (const { table, columns } of dumped.tables) {
    const source = createReadStream(fileOf(folder, set.name, table));
    await pipeline(source, client.query(copyFrom(`copy ${table} (${columns.join(", ")}) from stdin`)));
    await advanceSequences(client, table);
  }
}

/** Deferred triggers of foreign keys stay on: what refers to nothing is refused. */
async function setTriggers(client: pg.Client, dump: DatabaseDump, verb: "enable" | "disable"): Promise<void> {
  for (const { tables } of dump) {
    for (const { table } of tables) await client.query(`alter table ${table} ${verb} trigger user`);
  }
}

async function refuseRows(client: pg.Client, set: TableSet): Promise<void> {
  for (const { table } of await tablesOf(client, set)) {
    if (!(await isSo(client, `exists (select from ${table})`))) continue;
    throw new ConflictError(
      `The database is in use: ${table} has rows. Restore into a home, or a database, that is empty.`,
      { retryable: false, details: { table } },
    );
  }
}

async function isSo(client: pg.Client, condition: string, values: unknown[] = []): Promise<boolean> {
  const { rows } = await client.query(`select ${condition} as so`, values);
  return z
    .array(z.looseObject({ so: z.boolean() }))
    .parse(rows)
    .some(({ so }) => so);
}

async function advanceSequences(client: pg.Client, table: string): Promise<void> {
  const { rows } = await client.query(
    "select attname from pg_attribute where attrelid = $1::regclass and attidentity <> ''",
    [table],
  );
  for (const { attname } of z.array(z.looseObject({ attname: z.string() })).parse(rows)) {
    await client.query(
      `select setval(pg_get_serial_sequence('${table}', '${attname}'), greatest(max(${attname}), 1), max(${attname}) is not null) from ${table}`,
    );
  }
}

const tableRow = z.looseObject({
  table: z.string(),
  columns: z.array(z.string()),
  refers: z.array(z.string()),
});

/** Each after those that it refers to. */
async function tablesOf(client: pg.Client, { tables }: TableSet): Promise<z.infer<typeof tableRow>[]> {
  const { rows } = await client.query(
    `select c.oid::regclass::text as table,
       (select coalesce(array_agg(quote_ident(a.attname) order by a.attnum), '{}') from pg_attribute a
        where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = '') as columns,
       (select coalesce(array_agg(distinct f.confrelid::regclass::text), '{}') from pg_constraint f
        where f.conrelid = c.oid and f.contype = 'f' and f.confrelid <> c.oid) as refers
     from pg_class c where c.relkind = 'r' and ${tables} order by 1`,
  );
  const left = z.array(tableRow).parse(rows);
  const ordered: typeof left = [];
  while (left.length > 0) {
    const next = left.findIndex(
      ({ refers }) => !refers.some((name) => left.some(({ table }) => table === name)),
    );
    ordered.push(...left.splice(Math.max(next, 0), 1));
  }
  return ordered;
}

const fileOf = (folder: string, set: string, table: string): string =>
  join(folder, `${set}.${table.replace(/^.*\./, "")}.copy`);

async function withClient<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5000 });
  // The statement under way fails with the same error.
  client.on("error", () => undefined);
  try {
    await client.connect();
    return await work(client);
  } catch (cause) {
    if (!(cause instanceof Error) || "retryable" in cause) throw cause;
    throw new ServiceUnavailableError(
      "postgres",
      `The database's rows could not be moved: ${cause.message}`,
      {
        cause,
      },
    );
  } finally {
    await client.end();
  }
}
