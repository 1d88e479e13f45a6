import pg from "pg";
import { createDatabase, type DeployerDatabase, type InstallationKind } from "../../src/database/index.ts";

export interface World {
  url: string;
  db: DeployerDatabase;
  /** Another process on the same database. */
  another: (holder: string) => DeployerDatabase;
  /** Raw SQL past all of the product's code. */
  sql: (text: string, values?: unknown[]) => Promise<Record<string, unknown>[]>;
}

export interface OpenWorld extends World {
  /** Closes all that was opened on it. */
  close(): Promise<void>;
}

/** A database brought to the newest migration, empty unless it holds something already. */
export async function openWorld(
  url: string,
  installation: InstallationKind = "standard",
): Promise<OpenWorld> {
  const opened: DeployerDatabase[] = [];
  const raw = new pg.Pool({ connectionString: url, max: 2 });
  // Its sockets may still be closing when the database is dropped.
  raw.on("connect", (client) => client.on("error", () => undefined));
  raw.on("error", () => undefined);
  const another = (holder: string) => {
    const database = createDatabase({ url, holder });
    opened.push(database);
    return database;
  };
  const db = another("process-a");
  await db.migrate({ installation });
  return {
    url,
    db,
    another,
    sql: async (text, values) => (await raw.query<Record<string, unknown>>(text, values)).rows,
    close: async () => {
      await Promise.all([raw.end(), ...opened.map((database) => database.close())]);
    },
  };
}
