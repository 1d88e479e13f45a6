import { randomUUID } from "node:crypto";
import pg from "pg";

export interface ScratchDatabase {
  url: string;
  /** Runs one statement as the owner, past every policy, on a connection of its own. */
  query(sql: string, values?: unknown[]): Promise<Record<string, unknown>[]>;
  /** Ends the sessions that are still open on it. */
  drop(): Promise<void>;
}

/**
 * A database of its own on the server of `serverUrl`: an empty one, or a copy of `template`, which nobody may be connected
 * to meanwhile.
 */
export async function createScratchDatabase(
  serverUrl: string,
  { template }: { template?: ScratchDatabase } = {},
): Promise<ScratchDatabase> {
  const name = `test_${randomUUID().replaceAll("-", "")}`;
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  const copied = template === undefined ? "" : ` template ${new URL(template.url).pathname.slice(1)}`;
  await run(serverUrl, `create database ${name}${copied}`);
  return {
    url: url.href,
    query: (sql, values) => run(url.href, sql, values),
    drop: async () => {
      await run(serverUrl, `drop database if exists ${name} with (force)`);
    },
  };
}

async function run(url: string, sql: string, values: unknown[] = []): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: 10_000,
    query_timeout: 30_000,
  });
  try {
    await client.connect();
    const { rows } = await client.query<Record<string, unknown>>(sql, values);
    return rows;
  } finally {
    await client.end();
  }
}
