import { z } from "zod";
import type { SqlDatabase } from "../../connection/pool.ts";

const marksRow = z.strictObject({
  /** By endpoint; another text means that it has changed. */
  endpoints: z.record(z.string(), z.string()),
  /** By the id of each operation that has not ended. */
  operations: z.record(z.string(), z.string()),
  /** Grows with each row of the history. */
  history: z.int(),
});
export type Marks = z.infer<typeof marksRow>;

/** By which a watcher sees what has changed, in one cheap statement. */
export class PostgresMarks {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  async read(): Promise<Marks> {
    const [marks] = await this.#database.query(
      marksRow,
      `select
         coalesce((select jsonb_object_agg(e.endpoint_name, concat_ws('/', e.generation, e.observed_generation,
           (select string_agg(concat_ws(':', r.status, r.updated_at), ',' order by r.rollout_id) from ml_rollouts r
            where r.endpoint_name = e.endpoint_name and r.status in ('running', 'paused'))))
           from ml_endpoints e), '{}') as endpoints,
         coalesce((select jsonb_object_agg(operation_id, concat_ws('/', status, (
             select count(*) from ml_approvals a where a.operation_id = o.operation_id and a.revoked_at is null
           ))) from ml_operations o where finished_at is null and status <> 'claimed'), '{}') as operations,
         (coalesce((select max(history_id) from ml_stage_history), 0)
           + coalesce((select max(history_id) from ml_traffic_history), 0)
           + coalesce((select max(history_id) from ml_rollout_history), 0)) as history`,
    );
    return marks ?? { endpoints: {}, operations: {}, history: 0 };
  }
}
