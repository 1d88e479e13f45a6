import pg from "pg";

/** Settings that each transaction makes for itself: behind a pooler the session also belongs to others. */
export interface TransactionSettings {
  /** How long the server may work at one statement. */
  statementTimeoutMs: number;
  /** How long the server waits for the next statement before it ends the transaction. */
  idleTimeoutMs: number;
  /** The role that statements run as, where it exists and the user belongs to it; else they run as the user. */
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

export type Row = Record<string, unknown>;
/** A message of several statements is answered with a list. */
type Results = pg.ResultBuilder<Row> | pg.ResultBuilder<Row>[];
type Callback = (error: Error | undefined | null, results: Results) => void;

export interface Statement {
  text: string;
  values: readonly unknown[];
}

/** A query that does not end the message, since another one follows in it. */
class LeadingQuery extends pg.Query<Row> {
  /** Replaces the library's own method, which ends the message. */
  _getRows(connection: pg.Connection): void {
    connection.execute({ portal: "" }, false);
  }
}

/**
 * A statement with others before it, in one message and one round trip. What goes out in one message is one transaction,
 * so the settings of a statement by itself end with it; with `begin` among them they last until its commit.
 */
class PrecededQuery extends pg.Query<Row> {
  readonly #before: readonly string[];
  readonly #leading: readonly Statement[];

  constructor(
    before: readonly string[],
    leading: readonly Statement[],
    config: pg.QueryConfig & { queryMode: "extended" },
    done: Callback,
  ) {
    super(config, done);
    this.#before = before;
    this.#leading = leading;
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
      for (const statement of this.#leading) {
        pg.Query.prototype.submit.call(new LeadingQuery(extended(statement)), connection);
      }
      pg.Query.prototype.submit.call(this, connection);
    } finally {
      connection.stream.uncork();
    }
  };
}

function extended({ text, values }: Statement): pg.QueryConfig & { queryMode: "extended" } {
  return { text, values: [...values], queryMode: "extended" };
}

/**
 * The answers to the statements, in their order.
 * @param before statements without parameters, whose answers nobody reads
 * @throws the first failure that `pg` raises; no statement behind it is carried out
 */
export function queriesAfter(
  client: pg.ClientBase,
  before: readonly string[],
  statements: readonly Statement[],
): Promise<{ rows: Row[] }[]> {
  return new Promise((resolve, reject) => {
    const last = statements.at(-1);
    if (last === undefined) {
      resolve([]);
      return;
    }
    const query = new PrecededQuery(before, statements.slice(0, -1), extended(last), (error, results) => {
      if (error) reject(error);
      else resolve([results].flat().slice(-statements.length));
    });
    client.query(query);
  });
}
