import pg from "pg";
import { z } from "zod";
import {
  ConfigurationError,
  ServiceRefusedError,
  ServiceUnavailableError,
} from "../agents/model_deployer/errors.ts";
import { isRepeatable, toAgentError } from "./sqlstate.ts";

export interface PoolOptions {
  maximumConnections?: number;
  connectionTimeoutMs?: number;
  /** How long the server may work at one statement. */
  statementTimeoutMs?: number;
  applicationName?: string;
}

const TIMESTAMPTZ = 1184;
const NUMBERS = new Set([20, 1700]);

/** `2026-01-02 03:04:05.678901+00` as ISO 8601, microseconds kept so that an instant read is the instant stored. */
function isoInstant(text: string): string {
  const parts = /^(\S+) (\S+?)([+-]\d\d)(?::?(\d\d))?$/.exec(text);
  if (parts === null) return text;
  const [, date, time, hours, minutes] = parts;
  return hours === "+00" ? `${date}T${time}Z` : `${date}T${time}${hours}:${minutes ?? "00"}`;
}

/** Instants as ISO text; bigint and numeric as numbers, since ours stay below 2^53. */
const types: pg.CustomTypesConfig = {
  getTypeParser: (oid: number, format?: "text" | "binary") => {
    if (format !== "binary" && oid === TIMESTAMPTZ) return isoInstant;
    if (format !== "binary" && NUMBERS.has(oid)) return Number;
    // eslint-disable-next-line @typescript-eslint/no-unsafe-return -- pg types its parsers as any
    return format === "binary" ? pg.types.getTypeParser(oid, "binary") : pg.types.getTypeParser(oid);
  },
};

/** @throws ConfigurationError when the URL is no Postgres URL; the message never shows it, for it holds a password. */
export function createPool(databaseUrl: string, options: PoolOptions = {}): pg.Pool {
  if (!/^postgres(ql)?:\/\//.test(databaseUrl)) {
    throw new ConfigurationError("DATABASE_URL must begin with postgresql://");
  }
  const statementTimeoutMs = options.statementTimeoutMs ?? 10_000;
  const pool = new pg.Pool({
    connectionString: databaseUrl,
    max: options.maximumConnections ?? 10,
    connectionTimeoutMillis: options.connectionTimeoutMs ?? 5_000,
    statement_timeout: statementTimeoutMs,
    idle_in_transaction_session_timeout: 60_000,
    // A server that went silent: the client gives up a little after the server should have.
    query_timeout: statementTimeoutMs + 2_000,
    keepAlive: true,
    application_name: options.applicationName ?? "model-deployer",
    types,
  });
  // A killed server makes idle and busy connections emit `error`; the pool drops them and the next query opens a
  // new one or raises, so there is nothing to do here, but without listeners the process would end.
  pool.on("error", () => undefined);
  pool.on("connect", (client) => client.on("error", () => undefined));
  return pool;
}

/** Where a statement runs: in a transaction or on its own. */
export interface Queries {
  /**
   * Rows parsed by `row`; an empty list when the statement returns none.
   * @throws ServiceUnavailableError | ConflictError | InvalidRequestError | NotFoundError | ServiceRefusedError
   */
  query<T>(row: z.ZodType<T>, sql: string, values?: readonly unknown[]): Promise<T[]>;
}

/** For statements whose rows nobody reads. */
export const anyRow = z.unknown();

const ATTEMPTS = 5;
const RETRY_BASE_MS = 20;

export class Database implements Queries {
  readonly #pool: pg.Pool;

  constructor(pool: pg.Pool) {
    this.#pool = pool;
  }

  async query<T>(row: z.ZodType<T>, sql: string, values: readonly unknown[] = []): Promise<T[]> {
    return this.#withClient((session) => runOn(session, row, sql, values));
  }

  /**
   * All of `work` or nothing. A serialization failure or deadlock runs it again, so it may touch only the database.
   * @throws what `query` and `work` raise
   */
  async transaction<T>(work: (tx: Queries) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#withClient((session) => runTransaction(session, work));
      } catch (error) {
        if (attempt >= ATTEMPTS || !(error instanceof Error && isRepeatable(error.cause))) throw error;
        await pause(Math.random() * RETRY_BASE_MS * 2 ** attempt);
      }
    }
  }

  async close(): Promise<void> {
    if (!this.#pool.ended) await this.#pool.end();
  }

  async #withClient<T>(work: (session: Session) => Promise<T>): Promise<T> {
    const client = await this.#pool.connect().catch((error: unknown) => {
      throw toAgentError(error);
    });
    const session: Session = { client, broken: false };
    try {
      return await work(session);
    } catch (error) {
      const raised = toAgentError(error);
      session.broken ||= raised instanceof ServiceUnavailableError;
      throw raised;
    } finally {
      client.release(session.broken);
    }
  }
}

interface Session {
  client: pg.PoolClient;
  /** A broken connection is closed instead of going back into the pool; the server then ends what was open on it. */
  broken: boolean;
}

async function runOn<T>(
  { client }: Session,
  row: z.ZodType<T>,
  sql: string,
  values: readonly unknown[],
): Promise<T[]> {
  const result = await client.query<Record<string, unknown>>(sql, [...values]).catch((error: unknown) => {
    throw toAgentError(error);
  });
  // A text of several statements, which only migrations are, yields a list of results that nobody reads.
  const parsed = z.array(row).safeParse(Array.isArray(result) ? [] : result.rows);
  if (parsed.success) return parsed.data;
  throw new ServiceRefusedError(
    "postgres",
    `A row is not what this version expects: ${z.prettifyError(parsed.error)}. Run the migrations that belong to it.`,
    { cause: parsed.error },
  );
}

async function runTransaction<T>(session: Session, work: (tx: Queries) => Promise<T>): Promise<T> {
  const { client } = session;
  await client.query("begin");
  try {
    const result = await work({ query: (row, sql, values = []) => runOn(session, row, sql, values) });
    const { command } = await client.query("commit");
    if (command === "COMMIT") return result;
  } catch (error) {
    await client.query("rollback").catch(() => {
      session.broken = true;
    });
    throw error;
  }
  throw new ServiceRefusedError("postgres", "Postgres rolled a transaction back whose statement had failed");
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
