import pg from "pg";
import { secondsOf, type Duration } from "../../src/testing/clock.ts";
import { createDatabase, type DeployerDatabase, type InstallationKind } from "../../src/database/index.ts";

export interface World {
  url: string;
  db: DeployerDatabase;
  /** Another process on the same database. */
  another: (holder: string) => DeployerDatabase;
  /** Raw SQL past all of the product's code. */
  sql: (text: string, values?: unknown[]) => Promise<Record<string, unknown>[]>;
  /** Dates everything that time decides about so much earlier; the history, which nothing changes, stays. */
  passTime: (by: Duration) => Promise<void>;
}

const DATED: Record<string, string[]> = {
  ml_leases: ["acquired_at", "expires_at"],
  "ml_approvals where used_at is null": ["granted_at", "expires_at"],
  "ml_operations where finished_at is null": ["waits_until"],
  "ml_tokens where revoked_at is null": ["created_at", "expires_at"],
  ml_deployments: ["activated_at", "drain_due_at", "stopping_until"],
  ml_shadow_evidence: ["began_at", "collected_at"],
  ml_rollouts: ["step_started_at", "next_tick_at", "claimed_until"],
  ml_unpaired_predictions: ["read_at"],
  ml_outbox: ["next_attempt_at"],
  ml_server_restarts: ["next_try_at"],
};

function earlier(by: Duration): string {
  const statements = Object.entries(DATED).map(([rows, columns]) => {
    const [table = "", condition = ""] = rows.split(/(?= where )/);
    const moved = columns.map((column) => `${column} = ${column} - make_interval(secs => ${secondsOf(by)})`);
    return `update ${table} set ${moved.join(", ")}${condition}`;
  });
  return statements.join("; ");
}

/** The statement as a superuser's, past the triggers that keep what was written: for rows that were written earlier. */
export function pastTriggers(statement: string): string {
  return `set local session_replication_role = replica; ${statement}`;
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
    passTime: async (by) => {
      await raw.query(pastTriggers(earlier(by)));
    },
    close: async () => {
      await Promise.all([raw.end(), ...opened.map((database) => database.close())]);
    },
  };
}
