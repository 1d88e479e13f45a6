import { z } from "zod";
import type { SqlDatabase } from "./connection/pool.ts";

/** The role of the deployer's statements; see `least_rights.sql`. */
export const APP_ROLE = "model_deployer_app";

export interface Rights {
  /** The role that statements run as. */
  role: string;
  /** Null where the role has no more rights than it needs; else a sentence with the way out. */
  degraded: string | null;
  /** Null where the login of its statements can become no other role; else a sentence with the way out. */
  way_up: string | null;
}

const roleRow = z.strictObject({ role: z.string(), login: z.string(), owns: z.boolean() });

/** Whether the login, once it gives the role back, has an owner's rights. */
const RIGHTS = `select current_user::text as role, session_user::text as login,
    (select rolsuper or rolcreaterole from pg_roles where rolname = session_user) or exists (
      select from pg_class where relname = 'schema_migrations' and relnamespace = current_schema()::regnamespace
        and pg_has_role(session_user, relowner, 'member')
    ) as owns`;

export async function readRights(database: SqlDatabase): Promise<Rights> {
  const [row] = await database.query(roleRow, RIGHTS);
  const { role, login, owns } = row ?? { role: "unknown", login: "unknown", owns: false };
  const own = `create role model_deployer login password '...' in role ${APP_ROLE}, service_role`;
  const way_up = owns
    ? `DATABASE_URL logs in as ${login}, who may do everything to the tables: run "${own}", name that login in DATABASE_URL and keep ${login} for DATABASE_OWNER_URL.`
    : null;
  if (role === APP_ROLE) return { role, degraded: null, way_up };
  const degraded =
    `the database is used as ${role}, with all its rights, because there is no role ${APP_ROLE} for it; ` +
    `let an administrator run "create role ${APP_ROLE} nologin; grant ${APP_ROLE} to ${role}" and start again.`;
  return { role, degraded, way_up };
}
