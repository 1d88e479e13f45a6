import { z } from "zod";
import type { DatabaseClock } from "../../agents/model_deployer/ports/stores/history_store.ts";
import { ServiceRefusedError } from "../../agents/model_deployer/errors.ts";
import type { SqlDatabase } from "../connection/pool.ts";

const nowRow = z.strictObject({ now: z.string() });

export class PostgresClock implements DatabaseClock {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  async now(): Promise<string> {
    const [row] = await this.#database.query(nowRow, "select clock_timestamp() as now");
    if (row === undefined) throw new ServiceRefusedError("postgres", "Postgres told no time");
    return row.now;
  }
}
