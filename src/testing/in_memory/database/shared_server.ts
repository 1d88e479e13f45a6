import type { TestClock } from "../../clock.ts";
import { KnownPlans } from "./known_plans.ts";
import { execution, firstValue, preparation, queryMessage } from "./postgres_messages.ts";
import { type Contents, TableRows } from "./table_rows.ts";
import type { ServerAccess } from "./virtual_connection.ts";

/** A database that waits while others use the server. */
export interface HeldDatabase {
  readonly clock: TestClock;
  /** Out of date while this database uses the server. */
  contents: Contents;
}

const READ_CLOCK = "read_clock";

/**
 * One server for all databases of a process, whose tables hold the rows of one database at a time. Giving each database
 * its own tables takes two hundred times as long as exchanging their rows.
 */
export class SharedServer {
  readonly #server: Pick<ServerAccess, "send">;
  readonly #plans: KnownPlans;
  readonly #rows: TableRows;
  #lastUse: Promise<void> = Promise.resolve();
  /** Weak, so that the rows of a database that nobody can ask any more are dropped instead of kept. */
  #current: WeakRef<HeldDatabase> | null = null;
  /** Whether the current database was asked since its rows were read. */
  #isAsked = true;
  /** The server's clock when it was last released. */
  #instant = 0;

  private constructor(server: Pick<ServerAccess, "send">, plans: KnownPlans, rows: TableRows) {
    this.#server = server;
    this.#plans = plans;
    this.#rows = rows;
  }

  static async over(server: Pick<ServerAccess, "send">): Promise<SharedServer> {
    firstValue(await server.send(preparation(READ_CLOCK, "select last_value from deployer.instants")));
    const plans = new KnownPlans(server);
    return new SharedServer(server, plans, await TableRows.over(plans));
  }

  accessOf(database: HeldDatabase): ServerAccess {
    return {
      send: (messages) => {
        this.#isAsked = true;
        return this.#plans.send(messages);
      },
      acquire: async () => {
        const release = await this.#lock();
        try {
          await this.#switchTo(database);
        } catch (error) {
          release();
          throw error;
        }
        return () => this.#readClock(database.clock).finally(release);
      },
    };
  }

  /** The database's present content. */
  async contentsOf(database: HeldDatabase): Promise<Contents> {
    const release = await this.#lock();
    try {
      if (this.#current?.deref() === database) await this.#read();
      return database.contents;
    } finally {
      release();
    }
  }

  async #lock(): Promise<() => void> {
    const before = this.#lastUse;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#lastUse = promise;
    await before;
    return resolve;
  }

  async #switchTo(database: HeldDatabase): Promise<void> {
    if (this.#current?.deref() !== database) {
      await this.#read();
      this.#current = null;
      await this.#rows.write(database.contents);
      this.#current = new WeakRef(database);
    }
    const { read } = database.clock;
    if (read === this.#instant) return;
    await this.#ask(queryMessage(`select setval('deployer.instants', ${read})`));
  }

  async #read(): Promise<void> {
    if (!this.#isAsked) return;
    const contents = await this.#rows.read();
    this.#isAsked = false;
    const current = this.#current?.deref();
    if (current !== undefined) current.contents = contents;
  }

  async #readClock(clock: TestClock): Promise<void> {
    this.#instant = Number(await this.#ask(execution(READ_CLOCK)));
    clock.reach(this.#instant);
  }

  async #ask(messages: Buffer): Promise<string | null> {
    return firstValue(await this.#server.send(messages));
  }
}
