import pg from "pg";
import { z } from "zod";
import type { KnownPlans } from "./known_plans.ts";
import { VirtualConnection } from "./virtual_connection.ts";

/** The rows of each table that has some, as the text of an array, and the last value of each sequence that gave one. */
export type Contents = ReadonlyMap<string, string>;

export const EMPTY: Contents = new Map();

/** The clock belongs to no contents, and no database is without migrations. */
const HOLDERS = `
  select c.relname as name, c.relkind = 'S' as is_sequence, string_agg(quote_ident(a.attname), ', ' order by a.attnum)
    filter (where a.attnum > 0 and not a.attisdropped and a.attgenerated = '') as columns
  from pg_class c join pg_attribute a on a.attrelid = c.oid
  where c.relnamespace = 'deployer'::regnamespace and c.relkind in ('r', 'S')
    and c.relname not in ('schema_migrations', 'instants')
  group by c.oid, c.relname, c.relkind`;

const holderRow = z.object({ name: z.string(), is_sequence: z.boolean(), columns: z.string() });
type Holder = z.infer<typeof holderRow>;

const markRow = z.object({ name: z.string(), mark: z.string().nullable() });

/**
 * Gives the tables of one server the rows of one database after the other. Databases have most rows in common, for they
 * are copies of each other; so only tables that were written to are read, and only rows that differ are written.
 */
export class TableRows {
  readonly #client: pg.Client;
  readonly #plans: KnownPlans;
  #holders: Holder[] = [];
  #changesKnown = -1;
  /** The mark that was read last; where it has not changed, the rows have not either. */
  #marks = new Map<string, string | null>();
  #held = EMPTY;

  private constructor(client: pg.Client, plans: KnownPlans) {
    this.#client = client;
    this.#plans = plans;
  }

  static async over(plans: KnownPlans): Promise<TableRows> {
    const acquire = async () => async () => undefined;
    const stream = () => new VirtualConnection({ acquire, send: (messages) => plans.send(messages) });
    const client = new pg.Client({ stream });
    await client.connect();
    return new TableRows(client, plans);
  }

  async read(): Promise<Contents> {
    await this.#learnHolders();
    const marks = new Map<string, string | null>();
    for (const { name, mark } of await this.#ask(markRow, this.#holders.map(markOf).join(" union all ")))
      marks.set(name, mark);
    const held = new Map(this.#held);
    for (const holder of this.#holders) {
      const { name } = holder;
      const mark = marks.get(name) ?? null;
      if (this.#marks.get(name) !== mark)
        setOrDelete(held, name, holder.is_sequence ? mark : await this.#rowsOf(name));
    }
    this.#marks = marks;
    this.#held = held;
    return held;
  }

  /** Comes after a reading, with nothing written in between. */
  async write(contents: Contents): Promise<void> {
    const differing = this.#holders.filter(({ name }) => contents.get(name) !== this.#held.get(name));
    if (differing.length === 0) return;
    const marks = new Map(this.#marks);
    await this.#client.query("begin");
    try {
      // Triggers and foreign keys are at rest, for the rows have passed them already.
      await this.#do("select set_config('session_replication_role', 'replica', true)");
      for (const holder of differing) {
        await this.#put(holder, contents.get(holder.name) ?? null);
        for (const { name, mark } of await this.#ask(markRow, markOf(holder))) marks.set(name, mark);
      }
      await this.#client.query("commit");
    } catch (error) {
      await this.#client.query("rollback");
      throw error;
    }
    this.#marks = marks;
    this.#held = contents;
  }

  async #put({ name, is_sequence, columns }: Holder, contents: string | null): Promise<void> {
    const table = quoted(name);
    if (is_sequence) {
      await this.#do(`select setval('${table}', coalesce($1::bigint, 1), $1 is not null)`, [contents]);
      return;
    }
    if (contents === null) {
      await this.#do(`delete from ${table}`);
      return;
    }
    const given = `unnest($1::${table}[]) n`;
    await this.#do(`delete from ${table} r where r::text not in (select n::text from ${given})`, [contents]);
    await this.#do(
      `insert into ${table} (${columns}) overriding system value
         select ${columns} from ${given} where n::text not in (select r::text from ${table} r)`,
      [contents],
    );
  }

  async #rowsOf(name: string): Promise<string | null> {
    const text = `select '${name}' as name, array_agg(r)::text as mark from ${quoted(name)} r`;
    const [rows] = await this.#ask(markRow, text);
    return rows?.mark ?? null;
  }

  async #learnHolders(): Promise<void> {
    const { changes } = this.#plans;
    if (changes === this.#changesKnown) return;
    this.#holders = await this.#ask(holderRow, HOLDERS);
    this.#changesKnown = changes;
    this.#marks = new Map();
  }

  async #ask<T>(row: z.ZodType<T>, text: string): Promise<T[]> {
    if (text === "") return [];
    return z.array(row).parse(await this.#do(text));
  }

  /** As a statement with parameters even where there are none, for only such a one is planned once. */
  async #do(text: string, values: (string | null)[] = []): Promise<unknown[]> {
    const config: pg.QueryConfig & { queryMode: "extended" } = { text, values, queryMode: "extended" };
    const { rows } = await this.#client.query<Record<string, unknown>>(config);
    return rows;
  }
}

/** Of a table how many rows there are and which transaction wrote the newest. */
function markOf({ name, is_sequence }: Holder): string {
  return is_sequence
    ? `select '${name}' as name, case when is_called then last_value end::text as mark from ${quoted(name)}`
    : `select '${name}' as name, count(*) || ' ' || max(xmin::text::bigint) as mark from ${quoted(name)}`;
}

const quoted = (name: string): string => `deployer.${pg.escapeIdentifier(name)}`;

function setOrDelete(held: Map<string, string>, name: string, value: string | null): void {
  if (value === null) held.delete(name);
  else held.set(name, value);
}
