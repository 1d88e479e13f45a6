import { ExponentialBackoff, fullJitterGenerator, handleWhen, retry } from "cockatiel";
import pg from "pg";
import { z } from "zod";
import { Deadline, untilAborted } from "../agents/base/deadline.ts";
import {
  ConfigurationError,
  ServiceRefusedError,
  ServiceUnavailableError,
} from "../agents/model_deployer/errors.ts";
import { Circuit } from "../platform/circuit.ts";
import { isRepeatable, toAgentError } from "./sqlstate.ts";

export interface PoolOptions {
  maximumConnections?: number;
  connectionTimeoutMs?: number;
  /** How long the server may work at one statement. */
  statementTimeoutMs?: number;
  applicationName?: string;
  /** Works as this role where there is one and the user belongs to it; else, and unless told, as the user. */
  role?: string;
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
  pool.on("connect", (client) => {
    client.on("error", () => undefined);
    if (options.role !== undefined) takeRole(client, options.role);
  });
  return pool;
}

/** Goes to the server before whatever the connection was opened for. One that is cut off then fails with that. */
function takeRole(client: pg.PoolClient, role: string): void {
  const statement = `select set_config('role', rolname, false) from pg_roles
    where rolname = $1 and pg_has_role(session_user, oid, 'member')`;
  client.query(statement, [role]).catch(() => undefined);
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
const CONNECTION_TRIES = 3;
const RETRY_BASE_MS = 20;

export class Database implements Queries {
  readonly #pool: pg.Pool;
  readonly #circuit = new Circuit({ service: "postgres", halfOpenAfterMs: 500, isOutage: isSilent });
  readonly #reconnect = retry(handleWhen(isRefused), {
    maxAttempts: CONNECTION_TRIES - 1,
    backoff: new ExponentialBackoff({ generator: fullJitterGenerator, initialDelay: 50, maxDelay: 400 }),
  });

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

  /** On a connection of its own, under the circuit breaker, no longer than the deadline of the run it belongs to. */
  async #withClient<T>(work: (session: Session) => Promise<T>): Promise<T> {
    const deadline = Deadline.current?.signal;
    const guarded = () =>
      this.#circuit.run("carry out a statement", deadline, () => this.#onClient(work, deadline));
    if (deadline === undefined) return guarded();
    try {
      return await untilAborted(deadline, guarded);
    } catch (error) {
      throw error === deadline.reason ? outOfTime(error) : error;
    }
  }

  async #onClient<T>(work: (session: Session) => Promise<T>, deadline: AbortSignal | undefined): Promise<T> {
    const session = new Session(await this.#connect());
    // What was open on it ends with the connection.
    const giveUp = () => session.release({ broken: true });
    deadline?.addEventListener("abort", giveUp, { once: true });
    try {
      deadline?.throwIfAborted();
      return await work(session);
    } catch (error) {
      const raised = error === deadline?.reason ? outOfTime(error) : toAgentError(error);
      session.broken ||= raised instanceof ServiceUnavailableError;
      throw raised;
    } finally {
      deadline?.removeEventListener("abort", giveUp);
      session.release();
    }
  }

  /** To connect is safe to repeat: nothing was asked yet. A server that restarts refuses for a moment only. */
  #connect(): Promise<pg.PoolClient> {
    return this.#reconnect
      .execute(() => this.#pool.connect())
      .catch((error: unknown) => {
        throw toAgentError(error);
      });
  }
}

class Session {
  readonly client: pg.PoolClient;
  /** A broken connection is closed instead of going back into the pool; the server then ends what was open on it. */
  broken = false;
  #released = false;

  constructor(client: pg.PoolClient) {
    this.client = client;
  }

  release({ broken = this.broken } = {}): void {
    if (this.#released) return;
    this.#released = true;
    this.client.release(broken);
  }
}

function outOfTime(cause: unknown): ServiceUnavailableError {
  return new ServiceUnavailableError("postgres", "Postgres did not answer before the deadline of the run.", {
    cause,
  });
}

/** A statement that the server itself cut short says that the server is there. */
function isSilent(error: unknown): boolean {
  return error instanceof ServiceUnavailableError && !(error.cause instanceof pg.DatabaseError);
}

/** Refused, reset, or starting up; a connection that nobody answered has cost its whole timeout already. */
function isRefused(error: unknown): boolean {
  if (error instanceof pg.DatabaseError) return /^(53|57)/.test(error.code ?? "");
  return error instanceof Error && !error.message.includes("timeout");
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
    session.broken ||= toAgentError(error) instanceof ServiceUnavailableError;
    // On a connection that fell silent a rollback would be waited for once more.
    if (!session.broken) await rollBack(session);
    throw error;
  }
  throw new ServiceRefusedError("postgres", "Postgres rolled a transaction back whose statement had failed");
}

async function rollBack(session: Session): Promise<void> {
  await session.client.query("rollback").catch(() => {
    session.broken = true;
  });
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
