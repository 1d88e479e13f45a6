import { countPlans, meantFor, messagesIn, planMessage, statementOf } from "./postgres_messages.ts";
import type { ServerAccess } from "./virtual_connection.ts";

/** After a change of tables a plan may return other columns. */
const CHANGES_TABLES = /\b(alter|create|drop)\b/i;

/**
 * Has each statement planned once for all connections: a server in this process spends more time on planning a short
 * statement than on carrying it out. Clients give their statements no names, and hear nothing of those given here.
 */
export class KnownPlans {
  readonly #server: Pick<ServerAccess, "send">;
  /** The names of plans by their statements. */
  #names = new Map<string, string>();
  #given = 0;
  /** How often tables may have been changed. */
  changes = 0;

  constructor(server: Pick<ServerAccess, "send">) {
    this.#server = server;
  }

  async send(batch: Buffer): Promise<Buffer> {
    const messages = [...messagesIn(batch)].map((message) => ({ message, statement: statementOf(message) }));
    const statements = messages.flatMap(({ statement }) => statement ?? []);
    if (statements.some(({ sql }) => CHANGES_TABLES.test(sql))) {
      this.#names = new Map();
      this.changes += 1;
      return this.#server.send(batch);
    }
    if (statements.some(({ isParsed }) => !isParsed)) return this.#server.send(batch);
    const planned = new Map<string, string>();
    const sent: Buffer[] = [];
    let name = "";
    for (const { message, statement } of messages) {
      if (statement === null) {
        sent.push(meantFor(name, message));
        continue;
      }
      const known = this.#names.get(statement.sql) ?? planned.get(statement.sql);
      name = known ?? `known_${(this.#given += 1)}`;
      if (known !== undefined) continue;
      planned.set(statement.sql, name);
      sent.push(planMessage(name, statement.sql));
    }
    const answer = await this.#server.send(Buffer.concat(sent));
    // A plan outlives its transaction, also one that is rolled back; behind a failure none is made.
    const made = planned.size === 0 ? 0 : countPlans(answer);
    for (const [sql, known] of [...planned].slice(0, made)) this.#names.set(sql, known);
    return answer;
  }
}
