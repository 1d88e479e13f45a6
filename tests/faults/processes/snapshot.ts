import { z } from "zod";
import type { World } from "../../support/world.ts";

/** Leases are left out: to ask for one, and to give it back, is free to everybody. */
const TABLES = `select table_name as name from information_schema.tables
  where table_schema = 'public' and table_type = 'BASE TABLE' and table_name <> 'ml_leases' order by table_name`;
const nameRow = z.object({ name: z.string() });

/** Every row of every table, as text by table; two are equal when nothing has changed in between. */
export async function snapshotOf({ sql }: Pick<World, "sql">): Promise<Map<string, string>> {
  const tables = nameRow.array().parse(await sql(TABLES));
  const found = new Map<string, string>();
  for (const { name } of tables) {
    const [row] = await sql(
      `select coalesce(string_agg(t::text, e'\\n' order by t::text), '') as rows from ${name} t`,
    );
    found.set(name, String(row?.["rows"]));
  }
  return found;
}

/** A sentence for each table that differs, with the first row that only one of the two has. */
export function differencesOf(before: Map<string, string>, after: Map<string, string>): string[] {
  return [...after].flatMap(([name, rows]) => {
    if (before.get(name) === rows) return [];
    const known = new Set(before.get(name)?.split("\n"));
    return [`${name} has changed: ${rows.split("\n").find((row) => !known.has(row)) ?? "a row is gone"}`];
  });
}
