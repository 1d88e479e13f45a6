import { z } from "zod";
import type { Outbox, OutboxEntry } from "../../../agents/model_deployer/ports/stores/operation_stores.ts";
import type { SqlDatabase } from "../../connection/pool.ts";
import { anyRow } from "../../connection/transaction.ts";
import { delayAfter, VISIBILITY_SECONDS } from "./redelivery.ts";

const entryRow: z.ZodType<OutboxEntry> = z.strictObject({
  entry_id: z.string(),
  topic: z.enum(["registry_projection", "episodic_memory", "procedural_memory"]),
  dedupe_key: z.string(),
  payload: z.record(z.string(), z.unknown()),
  attempts: z.int(),
});

export class PostgresOutbox implements Outbox {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  /** `attempts` counts this one too. */
  async claim(limit: number): Promise<OutboxEntry[]> {
    return this.#database.query(
      entryRow,
      `with due as (
         select entry_id from ml_outbox
         where topic <> 'notify' and delivered_at is null and next_attempt_at <= clock_timestamp()
         order by entry_id limit $1 for update skip locked
       ), claimed as (
         update ml_outbox o set attempts = attempts + 1,
           next_attempt_at = clock_timestamp() + make_interval(secs => $2)
         from due where o.entry_id = due.entry_id
         returning o.entry_id, topic, dedupe_key, payload, attempts
       )
       select entry_id::text, topic, dedupe_key, payload, attempts from claimed order by claimed.entry_id`,
      [limit, VISIBILITY_SECONDS],
    );
  }

  async delivered(entryId: string): Promise<void> {
    await this.#database.query(
      anyRow,
      "update ml_outbox set delivered_at = coalesce(delivered_at, clock_timestamp()) where entry_id = $1",
      [entryId],
    );
  }

  async failed(entryId: string, reason: string): Promise<void> {
    await this.#database.query(
      anyRow,
      `update ml_outbox set last_error = $2, next_attempt_at = clock_timestamp() + ${delayAfter("attempts")}
       where entry_id = $1 and delivered_at is null`,
      [entryId, reason],
    );
  }
}
