import type pg from "pg";
import { z } from "zod";
import { ServiceRefusedError, ServiceUnavailableError } from "../../agents/model_deployer/errors.ts";
import { queriesAfter, type Row, type Statement } from "./preceded_query.ts";
import { toAgentError } from "./sqlstate.ts";

/** Where a statement runs: in a transaction or on its own. */
export interface Queries {
  /**
   * Rows parsed by `row`; an empty list when the statement returns none.
   * @throws ServiceUnavailableError | ConflictError | InvalidRequestError | NotFoundError | ServiceRefusedError
   */
  query<T>(row: z.ZodType<T>, sql: string, values?: readonly unknown[]): Promise<T[]>;
}

export interface Transaction extends Queries {
  /**
   * Runs works that do not depend on each other's results side by side: their first statements go out in one message,
   * in the works' order, then their second ones. When one raises, the transaction is run once more with all works in
   * turn, so that the error is the one which that order raises.
   * @returns the result of the first work
   */
  together<T>(first: () => Promise<T>, ...others: (() => Promise<unknown>)[]): Promise<T>;
}

/** For statements whose rows nobody reads. */
export const anyRow = z.unknown();

/** One connection while it is checked out of the pool. */
export class Session {
  readonly client: pg.PoolClient;
  /** Called with each answer. */
  readonly heard: () => void;
  /** A broken connection is closed instead of going back into the pool; the server then ends what was open on it. */
  broken = false;
  #released = false;

  constructor(client: pg.PoolClient, heard: () => void) {
    this.client = client;
    this.heard = heard;
  }

  release({ broken = this.broken } = {}): void {
    if (this.#released) return;
    this.#released = true;
    this.client.release(broken);
  }
}

/** One statement by itself. */
export async function runOn<T>(
  session: Session,
  before: readonly string[],
  row: z.ZodType<T>,
  statement: Statement,
): Promise<T[]> {
  const rows = await rowsOf(session, before, statement).catch((error: unknown) => {
    throw toAgentError(error);
  });
  return parsed(row, rows);
}

async function rowsOf(session: Session, before: readonly string[], statement: Statement): Promise<Row[]> {
  const { client } = session;
  const query =
    before.length > 0
      ? queriesAfter(client, before, [statement]).then(([result]) => result ?? { rows: [] })
      : client.query<Row>(statement.text, [...statement.values]);
  const result = await query;
  session.heard();
  // Of several statements in one text the results are a list, which nobody reads.
  return Array.isArray(result) ? [] : result.rows;
}

function parsed<T>(row: z.ZodType<T>, rows: readonly Row[]): T[] {
  const result = z.array(row).safeParse(rows);
  if (result.success) return result.data;
  throw new ServiceRefusedError(
    "postgres",
    `A row is not what this version expects: ${z.prettifyError(result.error)}. Run the migrations that belong to it.`,
    { cause: result.error },
  );
}

interface Waiting extends Statement {
  answered: (rows: Row[]) => void;
  failed: (error: unknown) => void;
}

/** One try of a transaction. */
export class TransactionRun {
  #before: readonly string[];
  readonly #oneByOne: boolean;
  #waiting: Waiting[] = [];
  #failure: Error | null = null;
  /** Whether statements were sent before the answers to other works' statements were known. */
  hasOverlapped = false;

  /** @param opening goes out with the first statement; where there is none, there is nothing to commit */
  constructor(opening: readonly string[], { oneByOne }: { oneByOne: boolean }) {
    this.#before = opening;
    this.#oneByOne = oneByOne;
  }

  async carryOut<T>(session: Session, work: (tx: Transaction) => Promise<T>): Promise<T> {
    const query: Queries["query"] = (row, text, values = []) =>
      this.#oneByOne
        ? runOn(session, this.#opening(), row, { text, values })
        : this.#ask(session, row, { text, values });
    const together: Transaction["together"] = (first, ...others) => this.#together(first, others);
    try {
      const result = await work({ query, together });
      if (this.#before.length > 0) return result;
      const { command } = await session.client.query("commit");
      session.heard();
      if (command === "COMMIT") return result;
    } catch (error) {
      session.broken ||= toAgentError(error) instanceof ServiceUnavailableError;
      // On a connection that fell silent a rollback would be waited for once more.
      if (!session.broken) await rollBack(session);
      throw error;
    }
    throw new ServiceRefusedError(
      "postgres",
      "Postgres rolled a transaction back whose statement had failed",
    );
  }

  async #together<T>(first: () => Promise<T>, others: (() => Promise<unknown>)[]): Promise<T> {
    if (this.#oneByOne) {
      const result = await first();
      for (const other of others) await other();
      return result;
    }
    this.hasOverlapped ||= others.length > 0;
    const result = first();
    const rest = others.map((other) => other());
    await Promise.allSettled([result, ...rest]);
    for (const one of [result, ...rest]) await one;
    return result;
  }

  #opening(): readonly string[] {
    const before = this.#before;
    this.#before = [];
    return before;
  }

  /** Sends the statement together with all others of this turn of the event loop. */
  async #ask<T>(session: Session, row: z.ZodType<T>, statement: Statement): Promise<T[]> {
    if (this.#waiting.length === 0) setImmediate(() => void this.#send(session));
    const rows = await new Promise<Row[]>((answered, failed) => {
      this.#waiting.push({ ...statement, answered, failed });
    });
    return parsed(row, rows);
  }

  async #send(session: Session): Promise<void> {
    const sent = this.#waiting;
    this.#waiting = [];
    try {
      if (this.#failure !== null) throw this.#failure;
      const results = await answersTo(session, this.#opening(), sent);
      sent.forEach(({ answered }, index) => answered(results[index]?.rows ?? []));
    } catch (error) {
      this.#failure = this.#failure ?? toAgentError(error);
      for (const { failed } of sent) failed(this.#failure);
    }
  }
}

/** A text of several statements, as migrations have, can only be sent alone. */
async function answersTo(
  session: Session,
  before: readonly string[],
  sent: readonly Statement[],
): Promise<{ rows: Row[] }[]> {
  const [only] = sent;
  if (before.length === 0 && only !== undefined && sent.length === 1) {
    return [{ rows: await rowsOf(session, [], only) }];
  }
  const results = await queriesAfter(session.client, before, sent);
  session.heard();
  return results;
}

async function rollBack(session: Session): Promise<void> {
  await session.client.query("rollback").catch(() => {
    session.broken = true;
  });
}
