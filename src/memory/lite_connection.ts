import { randomBytes } from "node:crypto";
import { App, Connection, RelationNotFoundError, type IntrospectResult } from "@supabase/lite";
import { PgliteConnection } from "@supabase/lite/pglite";
import { Kysely, PostgresDialect, sql } from "kysely";
import pg from "pg";
import { ConfigurationError } from "../agents/model_deployer/errors.ts";

/**
 * PostgREST over a plain Postgres, in this process. The library's own Postgres connection brings a driver that ends
 * the process when the server is killed, so its shared base class is given a `pg` pool here.
 */

type Database = Kysely<Record<string, never>>;

/** What is used of the library's base class for Postgres connections, which it does not export by name. */
interface PostgresConnection {
  kysely: Database;
  introspect(options?: { useCache?: boolean }): Promise<IntrospectResult>;
  clearSchemaCache(): Promise<void>;
}

const base: unknown = Object.getPrototypeOf(PgliteConnection);

function isPostgresConnectionClass(value: unknown): value is new (config: object) => PostgresConnection {
  return typeof value === "function" && value.prototype instanceof Connection && value !== Connection;
}

if (!isPostgresConnectionClass(base)) {
  throw new ConfigurationError(
    "@supabase/lite has changed its Postgres connections: install the version that package.json names",
  );
}

/** Answers a failed statement as PostgREST would; Hono takes an error with `getResponse` as the reply. */
class PostgrestFailure extends Error {
  readonly response: Response;

  constructor(cause: unknown) {
    const { status, ...body } = describeFailure(cause);
    super(body.message, { cause });
    this.name = "PostgrestFailure";
    this.response = Response.json(body, { status });
  }

  getResponse(): Response {
    return this.response;
  }
}

/** Status codes by SQLSTATE as PostgREST documents them; a failure without SQLSTATE means there was no server. */
function describeFailure(error: unknown) {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof RelationNotFoundError) return { status: 404, code: "PGRST205", message, ...noMore };
  if (!(error instanceof pg.DatabaseError) || error.code === undefined) {
    return { status: 503, code: "PGRST001", message: `no connection to Postgres: ${message}`, ...noMore };
  }
  const { code } = error;
  const more = { details: error.detail ?? null, hint: error.hint ?? null };
  return { status: statusOf(code), code, message, ...more };
}

const noMore = { details: null, hint: null };

function statusOf(sqlState: string): number {
  if (/^(08|53)|^57P0[1-5]/.test(sqlState)) return 503;
  if (sqlState === "42501") return 403;
  if (sqlState === "42883" || sqlState === "42P01") return 404;
  if (sqlState === "23503" || sqlState === "23505") return 409;
  if (sqlState === "42P17") return 500;
  return /^(21|22|23|42|P0001)/.test(sqlState) ? 400 : 500;
}

class PooledPostgresConnection extends base {
  readonly driver: pg.Pool;
  readonly dialect = "postgres" as const;
  #introspected = false;

  constructor(pool: pg.Pool) {
    super({});
    this.driver = pool;
    this.kysely = new Kysely({ dialect: new PostgresDialect({ pool }) });
  }

  /** The base class answers an unreachable server with an empty schema; this asks the server first. */
  override async introspect(options?: { useCache?: boolean }): Promise<IntrospectResult> {
    if (!this.#introspected) await this.#reach();
    const found = await super.introspect(options);
    this.#introspected = found.tables.length > 0;
    return found;
  }

  async #reach(): Promise<void> {
    try {
      await sql`select 1`.execute(this.kysely);
    } catch (cause) {
      throw new PostgrestFailure(cause);
    }
  }

  /**
   * Runs a request in one transaction as the service role, so that grants and policies hold here as on Supabase; a
   * user who may not become that role acts as itself. The base class would instead grant all tables of the schema to
   * the public roles.
   */
  async withContext<T>(
    _vars: unknown,
    work: (database: Database) => Promise<T>,
    options?: { transaction?: Database },
  ): Promise<T> {
    if (options?.transaction !== undefined) return work(options.transaction);
    return this.kysely.transaction().execute(async (transaction) => {
      // By transaction: behind a pooler the session is somebody else's too.
      await sql`
        select set_config('statement_timeout', ${String(STATEMENT_TIMEOUT_MS)}, true),
          case when pg_has_role(to_regrole('service_role'), 'member') then set_config('role', 'service_role', true) end
      `.execute(transaction);
      return work(transaction);
    });
  }

  /** The library calls this for every failed statement; what it would print and blur is answered here instead. */
  normalizeDbError(error: unknown): never {
    throw new PostgrestFailure(error);
  }

  async close(): Promise<void> {
    await this.kysely.destroy();
  }
}

const builtIn = pg.types.builtins;

function standardParser(oid: number): unknown {
  return pg.types.getTypeParser(oid, "text");
}

/** The library needs the catalogue's `name[]` (1003) as a list, like `text[]` (1009). Times stay text, as in PostgREST. */
const parsers = new Map<number, unknown>([
  [1003, standardParser(1009)],
  [builtIn.INT8, Number],
  [builtIn.NUMERIC, Number],
  [builtIn.DATE, String],
  [builtIn.TIMESTAMP, String],
  [builtIn.TIMESTAMPTZ, String],
]);

const STATEMENT_TIMEOUT_MS = 5_000;

function openPool(databaseUrl: string): pg.Pool {
  const pool = new pg.Pool({
    connectionString: databaseUrl,
    max: 4,
    connectionTimeoutMillis: 2_000,
    query_timeout: STATEMENT_TIMEOUT_MS,
    idleTimeoutMillis: 10_000,
    application_name: "model_deployer_memory",
    types: { getTypeParser: (oid: number) => parsers.get(oid) ?? standardParser(oid) },
  });
  // A killed server is reported to these listeners as well as to the query that hit it. Without them Node ends the
  // process; with them the pool drops the connection and the next query opens another.
  const dropped = () => undefined;
  pool.on("error", dropped);
  pool.on("connect", (client) => client.on("error", dropped));
  return pool;
}

export interface Lite {
  fetch: typeof fetch;
  close(): Promise<void>;
}

/** Opens nothing yet: the pool connects with the first request. */
export function openLite(databaseUrl: string, secretKey: string): Lite {
  const connection = new PooledPostgresConnection(openPool(databaseUrl));
  if (!(connection instanceof Connection)) {
    throw new ConfigurationError("@supabase/lite is installed twice: run npm ci");
  }
  const publishableKey = `sb_publishable_${randomBytes(24).toString("hex")}`;
  const app = new App({
    connection,
    auth: { enabled: false, secret_key: secretKey, publishable_key: publishableKey },
  });
  return {
    fetch: async (input, init) => {
      const response = await app.fetch(new Request(input, init));
      // The schema is cached: what was missing may have been migrated since, so the next request looks again.
      if (response.status === 404) await connection.clearSchemaCache();
      return response;
    },
    close: () => connection.close(),
  };
}
