import pg from "pg";
import { z } from "zod";
import { MEBIBYTE } from "../../support/figures.ts";

const tableRow = z.strictObject({ name: z.string() });
const sizeRow = z.strictObject({ name: z.string(), rows: z.int(), bytes: z.number() });
const databaseRow = z.strictObject({ bytes: z.number() });

export interface HeldTable {
  rows: number;
  /** MiB on the disk, with indexes, large values and what was freed and is not used again yet. */
  size: number;
}

export interface HeldDatabase {
  /** MiB. */
  database: number;
  /** By name, of this deployer. */
  tables: Record<string, HeldTable>;
}

const TABLES = "select tablename as name from pg_tables where schemaname = 'public' order by 1";

export async function readDatabase(pool: pg.Pool): Promise<HeldDatabase> {
  const names = z.array(tableRow).parse((await pool.query(TABLES)).rows);
  const counts = names.map(
    ({ name }) =>
      `select ${pg.escapeLiteral(name)} as name, count(*)::int as rows,
         pg_total_relation_size(${pg.escapeLiteral(name)})::float8 as bytes from ${pg.escapeIdentifier(name)}`,
  );
  const sizes = z.array(sizeRow).parse((await pool.query(counts.join(" union all "))).rows);
  const whole = "select pg_database_size(current_database())::float8 as bytes";
  const { bytes } = databaseRow.parse((await pool.query(whole)).rows[0]);
  return {
    database: bytes / MEBIBYTE,
    tables: Object.fromEntries(
      sizes.map(({ name, rows, bytes: size }) => [name, { rows, size: size / MEBIBYTE }]),
    ),
  };
}
