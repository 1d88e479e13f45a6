import { pollUntil } from "../../../../src/testing/poll.ts";
import type { World } from "../../../support/world.ts";

/** Tells the connections of a process that was killed from this one's. */
const CHILD = "crash-child";

/** A database whose rows can be put back to what they were at an earlier moment. */
export class RestorableDatabase {
  readonly #world: Pick<World, "url" | "sql">;
  #moments = 0;

  constructor(world: Pick<World, "url" | "sql">) {
    this.#world = world;
  }

  /** Where a child finds it. */
  get childUrl(): string {
    const url = new URL(this.#world.url);
    url.searchParams.set("application_name", CHILD);
    return url.href;
  }

  /** A child's statements that were under way when it died have their effect or none, and its locks are gone. */
  async childrenAreGone(): Promise<void> {
    const sessions = `select count(*)::int as open from pg_stat_activity
      where datname = current_database() and application_name = '${CHILD}'`;
    await pollUntil(async () => (await this.#world.sql(sessions))[0]?.["open"] === 0, {
      deadlineMs: 120_000,
      intervalMs: 3,
      what: "end of the dead process's sessions",
    });
  }

  /** @returns the name of a moment, for `restore` */
  async keep(): Promise<string> {
    const moment = `moment_${++this.#moments}`;
    const tables = await this.#tables();
    const copies = tables.map(({ name }) => `create table ${moment}.${name} as table public.${name}`);
    await this.#world.sql([`create schema ${moment}`, ...copies].join(";"));
    return moment;
  }

  async restore(moment: string): Promise<void> {
    const tables = await this.#tables();
    const statements = [
      "begin",
      // Past the triggers that keep histories as they are.
      "set local session_replication_role = replica",
      ...tables.map(({ name }) => `delete from public.${name}`),
      ...tables.map(
        ({ name, columns }) =>
          `insert into public.${name} (${columns}) overriding system value select ${columns} from ${moment}.${name}`,
      ),
      "commit",
    ];
    await this.#world.sql(statements.join(";"));
  }

  async forget(moment: string): Promise<void> {
    await this.#world.sql(`drop schema ${moment} cascade`);
  }

  async #tables(): Promise<{ name: string; columns: string }[]> {
    const rows = await this.#world.sql(
      `select table_name as name, string_agg(column_name, ', ' order by ordinal_position) as columns
       from information_schema.columns join information_schema.tables using (table_schema, table_name)
       where table_schema = 'public' and table_type = 'BASE TABLE' and is_generated = 'NEVER' group by table_name`,
    );
    return rows.map((row) => ({ name: String(row["name"]), columns: String(row["columns"]) }));
  }
}
