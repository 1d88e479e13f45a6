import { z } from "zod";
import type { Database } from "./pool.ts";

/** What the deployer works as; see `least_rights.sql`. */
export const APP_ROLE = "model_deployer_app";

export interface Rights {
  /** The database's role that statements run as. */
  role: string;
  /** Null where the role has no more rights than it needs; else a sentence with the way out. */
  degraded: string | null;
}

const roleRow = z.strictObject({ role: z.string() });

export async function readRights(database: Database): Promise<Rights> {
  const [row] = await database.query(roleRow, "select current_user::text as role");
  const role = row?.role ?? "unknown";
  if (role === APP_ROLE) return { role, degraded: null };
  const degraded =
    `the database is used as ${role}, with all its rights, because there is no role ${APP_ROLE} for it; ` +
    `let an administrator run "create role ${APP_ROLE} nologin; grant ${APP_ROLE} to ${role}" and start again.`;
  return { role, degraded };
}
