import pg from "pg";

/** What each transaction sets for itself, so that nothing is asked of the session: behind a pooler it is somebody else's too. */
export interface TransactionSettings {
  /** How long the server may work at one statement. */
  statementTimeoutMs: number;
  /** How long it waits for the next one before it gives the transaction up. */
  idleTimeoutMs: number;
  /** Works as this role where there is one and the user belongs to it; else, and unless told, as the user. */
  role?: string | undefined;
}

/** One statement that sets them until the end of the transaction. */
export function settingsStatement({ statementTimeoutMs, idleTimeoutMs, role }: TransactionSettings): string {
  const set = (name: string, value: string) => `set_config('${name}', ${pg.escapeLiteral(value)}, true)`;
  const settings = [
    set("statement_timeout", String(statementTimeoutMs)),
    set("idle_in_transaction_session_timeout", String(idleTimeoutMs)),
  ];
  if (role === undefined) return `select ${settings.join(", ")}`;
  const isMember = `pg_has_role(session_user, to_regrole(${pg.escapeLiteral(role)}), 'member')`;
  return `select ${settings.join(", ")}, case when ${isMember} then ${set("role", role)} end`;
}

type Row = Record<string, unknown>;
/** A message of several statements is answered with a list. */
type Results = pg.ResultBuilder<Row> | pg.ResultBuilder<Row>[];
type Callback = (error: Error | undefined | null, results: Results) => void;

/**
 * A statement with others before it, in one message and one round trip. What goes out in one message is one transaction,
 * so the settings of a statement by itself end with it; with `begin` among them they last until its commit.
 */
class PrecededQuery extends pg.Query<Row> {
  readonly #before: readonly string[];

  constructor(before: readonly string[], config: pg.QueryConfig & { queryMode: "extended" }, done: Callback) {
    super(config, done);
    this.#before = before;
  }

  override submit = (connection: pg.Connection): void => {
    connection.stream.cork();
    try {
      for (const text of this.#before) {
        connection.parse({ text, name: "", types: [] }, false);
        connection.bind({}, false);
        connection.describe({ type: "P" }, false);
        connection.execute({}, false);
      }
      pg.Query.prototype.submit.call(this, connection);
    } finally {
      connection.stream.uncork();
    }
  };
}

/** @throws what `pg` raises, for the statement or for one before it */
export function queryAfter(
  client: pg.ClientBase,
  before: readonly string[],
  text: string,
  values: readonly unknown[],
): Promise<{ rows: Row[] }> {
  return new Promise((resolve, reject) => {
    const config = { text, values: [...values], queryMode: "extended" as const };
    const query = new PrecededQuery(before, config, (error, results) => {
      const last = Array.isArray(results) ? results.at(-1) : results;
      if (error) reject(error);
      else resolve(last ?? { rows: [] });
    });
    client.query(query);
  });
}
