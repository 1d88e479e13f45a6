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
import { queryAfter, settingsStatement } from "./preceded_query.ts";
import { types } from "./value_types.ts";
import { isDiskFull, isRepeatable, toAgentError } from "./sqlstate.ts";

export interface PoolOptions {
  maximumConnections?: number;
  connectionTimeoutMs?: number;
  /** How long the server may work at one statement. */
  statementTimeoutMs?: number;
  applicationName?: string;
}

export interface DatabaseOptions extends PoolOptions {
  /** Works as this role where there is one and the user belongs to it; else, and unless told, as the user. */
  role?: string;
  /** Called when the server's disk is full; true when there may be room now. Only for a server whose disk is this one. */
  makeRoom?: () => boolean;
}

const STATEMENT_TIMEOUT_MS = 10_000;
const IDLE_TIMEOUT_MS = 60_000;

/**
 * Connections on which nothing is set: a pooler refuses settings at the start, and hands the session to others.
 * @throws ConfigurationError when the URL is no Postgres URL; the message never shows it, for it holds a password.
 */
export function createPool(databaseUrl: string, options: PoolOptions = {}): pg.Pool {
  if (!/^postgres(ql)?:\/\//.test(databaseUrl)) {
    throw new ConfigurationError("DATABASE_URL must begin with postgresql://");
  }
  const pool = new pg.Pool({
    connectionString: databaseUrl,
    max: options.maximumConnections ?? 10,
    connectionTimeoutMillis: options.connectionTimeoutMs ?? 5_000,
    // A server that went silent: the client gives up a little after the server should have.
    query_timeout: (options.statementTimeoutMs ?? STATEMENT_TIMEOUT_MS) + 2_000,
    keepAlive: true,
    application_name: options.applicationName ?? "model-deployer",
    types,
  });
  // A killed server makes idle and busy connections emit `error`; the pool drops them and the next query opens a
  // new one or raises, so there is nothing to do here, but without listeners the process would end.
  pool.on("error", () => undefined);
  pool.on("connect", (client) => {
    client.on("error", () => undefined);
  });
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
const CONNECTION_TRIES = 3;
const RETRY_BASE_MS = 20;

export class Database implements Queries {
  readonly #pool: pg.Pool;
  readonly #settings: string;
  readonly #makeRoom: () => boolean;
  readonly #circuit = new Circuit({ service: "postgres", halfOpenAfterMs: 500, isOutage: isSilent });
  readonly #reconnect = retry(handleWhen(isRefused), {
    maxAttempts: CONNECTION_TRIES - 1,
    backoff: new ExponentialBackoff({ generator: fullJitterGenerator, initialDelay: 50, maxDelay: 400 }),
  });

  /** @throws ConfigurationError when the URL is no Postgres URL */
  constructor(databaseUrl: string, options: DatabaseOptions = {}) {
    this.#pool = createPool(databaseUrl, options);
    this.#makeRoom = options.makeRoom ?? (() => false);
    this.#settings = settingsStatement({
      statementTimeoutMs: options.statementTimeoutMs ?? STATEMENT_TIMEOUT_MS,
      idleTimeoutMs: IDLE_TIMEOUT_MS,
      role: options.role,
    });
  }

  async query<T>(row: z.ZodType<T>, sql: string, values: readonly unknown[] = []): Promise<T[]> {
    return this.#whereIsRoom(() =>
      this.#withClient((session) => runOn(session, [this.#settings], row, sql, values)),
    );
  }

  /**
   * All of `work` or nothing. A serialization failure or deadlock runs it again, so it may touch only the database.
   * @throws what `query` and `work` raise
   */
  async transaction<T>(work: (tx: Queries) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.#withClient((session) => runTransaction(session, ["begin", this.#settings], work));
      } catch (error) {
        const cause = error instanceof Error ? error.cause : null;
        if (attempt >= ATTEMPTS || !(isRepeatable(cause) || (isDiskFull(cause) && this.#makeRoom())))
          throw error;
        await pause(Math.random() * RETRY_BASE_MS * 2 ** attempt);
      }
    }
  }

  /** What met a full disk was taken back whole, and is tried once more for each piece of room that can be made. */
  async #whereIsRoom<T>(work: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof Error && isDiskFull(error.cause) && this.#makeRoom())) throw error;
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
  before: readonly string[],
  row: z.ZodType<T>,
  sql: string,
  values: readonly unknown[],
): Promise<T[]> {
  const query =
    before.length > 0
      ? queryAfter(client, before, sql, values)
      : client.query<Record<string, unknown>>(sql, [...values]);
  const result = await query.catch((error: unknown) => {
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

/** Begins with the first statement, in the same message; where there is none, there is nothing to commit. */
async function runTransaction<T>(
  session: Session,
  opening: readonly string[],
  work: (tx: Queries) => Promise<T>,
): Promise<T> {
  const { client } = session;
  let before = opening;
  const query: Queries["query"] = (row, sql, values = []) => {
    const first = before;
    before = [];
    return runOn(session, first, row, sql, values);
  };
  try {
    const result = await work({ query });
    if (before.length > 0) return result;
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
