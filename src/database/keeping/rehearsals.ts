import { z } from "zod";
import { instantSchema } from "../../agents/model_deployer/domain/entities.ts";
import type { Rehearsal } from "../../keeping/rehearsal/rehearser.ts";
import type { SqlDatabase } from "../connection/pool.ts";
import { anyRow } from "../connection/transaction.ts";

const keptRow = z.strictObject({
  endpoint_name: z.string(),
  deployment_id: z.string().nullable(),
  outcome: z.enum(["works", "fails", "unready", "none"]),
  cold_seconds: z.number().nullable(),
  reason: z.string(),
  rehearsed_at: instantSchema,
});
export type KeptRehearsal = z.infer<typeof keptRow>;

export class PostgresRehearsals {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  async add(rehearsal: Rehearsal, by: string): Promise<void> {
    const { endpoint_name, deployment_id, outcome, cold_seconds, reason } = rehearsal;
    await this.#database.query(
      anyRow,
      `insert into ml_rehearsals (endpoint_name, deployment_id, outcome, cold_seconds, reason, rehearsed_by)
       values ($1, $2, $3, $4, $5, $6)`,
      [endpoint_name, deployment_id, outcome, cold_seconds, reason, by],
    );
  }

  /** The last one of each endpoint. */
  async newest(): Promise<KeptRehearsal[]> {
    return this.#database.query(
      keptRow,
      `select distinct on (endpoint_name) endpoint_name, deployment_id, outcome, cold_seconds, reason, rehearsed_at
       from ml_rehearsals order by endpoint_name, rehearsed_at desc`,
    );
  }
}
