import pg from "pg";
import type { z } from "zod";
import { Deadline, untilAborted } from "../../agents/base/deadline.ts";
import {
  ConfigurationError,
  DeadlineExceededError,
  ServiceUnavailableError,
} from "../../agents/model_deployer/errors.ts";
import { Circuit } from "../../platform/work/circuit.ts";
import { retrying } from "../../platform/work/retries.ts";
import { notAsked, outOfTime, Silence } from "./out_of_time.ts";
import { settingsStatement } from "./preceded_query.ts";
import { type Queries, runOn, Session, type Transaction, TransactionRun } from "./transaction.ts";
import { types } from "../value_types.ts";
import { isServerDiskFull, isRepeatable, toAgentError } from "./sqlstate.ts";

export interface PoolOptions {
  maximumConnections?: number;
  connectionTimeoutMs?: number;
  /** How long the server may work at one statement. */
  statementTimeoutMs?: number;
  applicationName?: string;
}

export interface DatabaseOptions {
  /** How long the server may work at one statement. */
  statementTimeoutMs?: number;
  /** The role that statements run as, where it exists and the user belongs to it; else they run as the user. */
  role?: string;
  /**
   * Called when the server's disk is full; true when there may be room now. Only for a server on this machine's disk.
   */
  makeRoom?: () => boolean;
}

const STATEMENT_TIMEOUT_MS = 10_000;
const IDLE_TIMEOUT_MS = 60_000;

/**
 * Connections without settings of their own: a pooler refuses settings at the start, and hands the session to others.
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

const ATTEMPTS = 5;
const CONNECTION_TRIES = 3;
const RETRY_BASE_MS = 20;

export class SqlDatabase implements Queries {
  readonly #pool: pg.Pool;
  readonly #settings: string;
  readonly #makeRoom: () => boolean;
  readonly #circuit = new Circuit({ service: "postgres", halfOpenAfterMs: 500, isOutage: isSilent });
  readonly #reconnect = retrying(isRefused, {
    attempts: CONNECTION_TRIES,
    firstPauseMs: 50,
    longestPauseMs: 400,
  });

  constructor(pool: pg.Pool, options: DatabaseOptions = {}) {
    this.#pool = pool;
    this.#makeRoom = options.makeRoom ?? (() => false);
    this.#settings = settingsStatement({
      statementTimeoutMs: options.statementTimeoutMs ?? STATEMENT_TIMEOUT_MS,
      idleTimeoutMs: IDLE_TIMEOUT_MS,
      role: options.role,
    });
  }

  async query<T>(row: z.ZodType<T>, sql: string, values: readonly unknown[] = []): Promise<T[]> {
    return this.#whereIsRoom(() =>
      this.#withClient((session) => runOn(session, [this.#settings], row, { text: sql, values })),
    );
  }

  /**
   * Carries out all of `work` or nothing. It runs again after a serialization failure or deadlock, and after an error
   * behind statements that went out together, then one after the other; so it may touch only the database.
   * @throws what `query` and `work` raise
   */
  async transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    let oneByOne = false;
    for (let attempt = 1; ; attempt += 1) {
      const run = new TransactionRun(["begin", this.#settings], { oneByOne });
      try {
        return await this.#withClient((session) => run.carryOut(session, work));
      } catch (error) {
        const cause = error instanceof Error ? error.cause : null;
        if (run.hasOverlapped && !isCut(error) && !isRepeatable(cause)) {
          oneByOne = true;
          continue;
        }
        if (attempt >= ATTEMPTS || !(isRepeatable(cause) || (isServerDiskFull(cause) && this.#makeRoom())))
          throw error;
        await pause(Math.random() * RETRY_BASE_MS * 2 ** attempt);
      }
    }
  }

  /**
   * A transaction that met a full disk was rolled back whole, and is tried once more for each piece of room that is
   * freed.
   */
  async #whereIsRoom<T>(work: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof Error && isServerDiskFull(error.cause) && this.#makeRoom())) throw error;
      }
    }
  }

  async close(): Promise<void> {
    if (!this.#pool.ended) await this.#pool.end();
  }

  /** Runs on a connection of its own, under the circuit breaker, no longer than the run's deadline. */
  async #withClient<T>(work: (session: Session) => Promise<T>): Promise<T> {
    const deadline = Deadline.current;
    const guarded = (signal?: AbortSignal, heard = () => {}) =>
      this.#circuit.run("carry out a statement", signal, () => this.#onClient(work, heard, signal));
    if (deadline === undefined) return guarded();
    if (deadline.signal.aborted) throw notAsked(deadline);
    const askedAt = performance.now();
    const silence = new Silence(deadline);
    try {
      const signal = AbortSignal.any([deadline.signal, silence.signal]);
      return await untilAborted(signal, () => guarded(signal, silence.heard));
    } catch (error) {
      throw error === deadline.signal.reason ? outOfTime(deadline, askedAt, error) : error;
    } finally {
      silence.end();
    }
  }

  async #onClient<T>(
    work: (session: Session) => Promise<T>,
    heard: () => void,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    const session = new Session(await this.#connect(), heard);
    // The server ends an open transaction with its connection.
    const giveUp = () => session.release({ broken: true });
    signal?.addEventListener("abort", giveUp, { once: true });
    try {
      signal?.throwIfAborted();
      heard();
      return await work(session);
    } catch (error) {
      // The caller was already told that its own signal cut the wait.
      if (signal !== undefined && error === signal.reason) throw error;
      const raised = toAgentError(error);
      session.broken ||= raised instanceof ServiceUnavailableError;
      throw raised;
    } finally {
      signal?.removeEventListener("abort", giveUp);
      session.release();
    }
  }

  /**
   * Connecting is safe to repeat, since nothing was asked yet, and a server that restarts refuses only for a moment.
   */
  #connect(): Promise<pg.PoolClient> {
    return this.#reconnect
      .execute(() => this.#pool.connect())
      .catch((error: unknown) => {
        throw toAgentError(error);
      });
  }
}

/** A statement that the server itself cut short shows that the server answers. */
function isSilent(error: unknown): boolean {
  return error instanceof ServiceUnavailableError && !(error.cause instanceof pg.DatabaseError);
}

/** Cut by the caller or a deadline, which another try would not change. */
function isCut(error: unknown): boolean {
  return error instanceof ServiceUnavailableError || error instanceof DeadlineExceededError;
}

/** Refused, reset or starting up; a connection that nobody answered has used up its whole timeout already. */
function isRefused(error: unknown): boolean {
  if (error instanceof pg.DatabaseError) return /^(53|57)/.test(error.code ?? "");
  return error instanceof Error && !error.message.includes("timeout");
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
