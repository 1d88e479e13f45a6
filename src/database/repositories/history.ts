import { z } from "zod";
import { metricsSchema, stageSchema } from "../../agents/model_deployer/domain/entities.ts";
import type { History, HistoryEvent } from "../../agents/model_deployer/store_ports.ts";
import type { Database } from "../pool.ts";

const eventRow: z.ZodType<HistoryEvent> = z.strictObject({
  kind: z.enum(["promotion", "supersession", "rollback", "archival", "registration", "traffic"]),
  occurred_at: z.string(),
  experiment_id: z.string(),
  model_version_id: z.string().nullable(),
  from_stage: stageSchema.nullable(),
  to_stage: stageSchema.nullable(),
  endpoint_name: z.string().nullable(),
  generation: z.int().nullable(),
  weights: z.record(z.string(), z.number()).nullable(),
  from_weights: z.record(z.string(), z.number()).nullable(),
  changed_by: z.string(),
  reason: z.string(),
  metrics: metricsSchema,
  evidence: z.record(z.string(), z.unknown()),
});

const shareRow = z.strictObject({ model_version_id: z.string(), weight: z.number() });

/** One query, and one row that its index leads to, however long the history is. */
export const IN_PRODUCTION_AT = `select w.key as model_version_id, w.value::float8 as weight
 from (
   select version_weights from ml_traffic_history
   where endpoint_name = $1 and occurred_at <= $2 order by occurred_at desc, generation desc limit 1
 ) as newest, jsonb_each_text(newest.version_weights) as w
 where w.value::numeric > 0 order by weight desc, model_version_id`;

export class PostgresHistory implements History {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** `weights` and `from_weights`, what they were before, are by model version. */
  async list(experimentId: string): Promise<HistoryEvent[]> {
    return this.#database.query(
      eventRow,
      `select kind, occurred_at, experiment_id, model_version_id, from_stage, to_stage, endpoint_name, generation,
         weights, from_weights, changed_by, reason, metrics, evidence
       from (
         select kind, occurred_at, experiment_id, model_version_id, from_stage, to_stage, null as endpoint_name,
           null::integer as generation, null::jsonb as weights, null::jsonb as from_weights, changed_by, reason, metrics,
           evidence, 0 as source, history_id
         from ml_stage_history where experiment_id = $1
         union all
         select 'traffic', occurred_at, experiment_id, null, null, null, endpoint_name, generation, version_weights,
           lag(version_weights) over (partition by endpoint_name order by generation), changed_by, reason, metrics,
           evidence, 1, history_id
         from ml_traffic_history where experiment_id = $1
       ) as events
       order by occurred_at, source, history_id`,
      [experimentId],
    );
  }

  /** The largest share first; empty before the endpoint's first acknowledged generation. */
  async inProductionAt(
    endpointName: string,
    instant: string,
  ): Promise<{ model_version_id: string; weight: number }[]> {
    return this.#database.query(shareRow, IN_PRODUCTION_AT, [endpointName, instant]);
  }
}
