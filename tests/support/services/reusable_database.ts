import { z } from "zod";
import type { ScratchDatabase } from "./scratch_database.ts";

const tableSchema = z.strictObject({ name: z.string(), columns: z.string() });
const sequenceSchema = z.strictObject({ name: z.string(), value: z.string(), called: z.boolean() });

/** A migrated database that can be brought back to what its migrations have left, at a fraction of what a copy costs. */
export interface ReusableDatabase {
  url: string;
  reset(): Promise<void>;
  /** Every row of every table, and where every sequence stands. */
  content(): Promise<string>;
  drop(): Promise<void>;
}

const KEPT = "as_migrated";
/** With the columns that can be given a value; what is generated follows from them. */
const TABLES = `select quote_ident(t.relname) as name,
    string_agg(quote_ident(a.attname), ', ' order by a.attnum) filter (where a.attgenerated = '') as columns
  from pg_class t join pg_attribute a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
  where t.relnamespace = 'public'::regnamespace and t.relkind = 'r' group by t.relname order by 1`;
const SEQUENCES = `select quote_ident(sequencename) as name, coalesce(last_value, start_value) as value,
    last_value is not null as called from pg_sequences where schemaname = 'public' order by 1`;

/** @param scratch migrated, and used by nobody yet */
export async function reusable(scratch: ScratchDatabase): Promise<ReusableDatabase> {
  const tables = (await scratch.query(TABLES)).map((row) => tableSchema.parse(row));
  const sequences = (await scratch.query(SEQUENCES)).map((row) => sequenceSchema.parse(row));
  const kept = tables.map(({ name }) => `create table ${KEPT}.${name} as table public.${name}`);
  await scratch.query([`create schema ${KEPT}`, ...kept].join("; "));
  const restored = [
    // Without triggers: keys between tables are whole again at the end, and histories keep nobody from it.
    "set local session_replication_role = replica",
    ...tables.map(({ name }) => `delete from public.${name}`),
    ...tables.map(
      ({ name, columns }) =>
        `insert into public.${name} (${columns}) overriding system value select ${columns} from ${KEPT}.${name}`,
    ),
    ...sequences.map(({ name, value, called }) => `select setval('public.${name}', ${value}, ${called})`),
  ];
  const all = tables.map(
    ({ name: table }) =>
      `select '${table}' as t, (select jsonb_agg(to_jsonb(x) order by to_jsonb(x)) from public.${table} x) as r`,
  );
  return {
    url: scratch.url,
    // A text of several statements is one transaction.
    reset: async () => void (await scratch.query(restored.join("; "))),
    content: async () => {
      const rows = await scratch.query(all.join(" union all "));
      return JSON.stringify([rows, await scratch.query(SEQUENCES)]);
    },
    drop: () => scratch.drop(),
  };
}
