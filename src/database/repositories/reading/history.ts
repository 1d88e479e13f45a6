import { z } from "zod";
import { rolloutEventSchema } from "../../../agents/model_deployer/domain/changes.ts";
import {
  metricsSchema,
  type ShadowEvidence,
  shadowEvidenceSchema,
  stageSchema,
} from "../../../agents/model_deployer/domain/entities.ts";
import { type Rollout, rolloutSchema } from "../../../agents/model_deployer/domain/traffic/rollout.ts";
import type { History, HistoryEvent } from "../../../agents/model_deployer/ports/stores/history_store.ts";
import type { SqlDatabase } from "../../connection/pool.ts";
import { rolloutColumns } from "../../rows.ts";

const eventRow: z.ZodType<HistoryEvent> = z.strictObject({
  kind: z.enum([
    "promotion",
    "supersession",
    "rollback",
    "archival",
    "registration",
    "traffic",
    "criteria",
    ...rolloutEventSchema.options,
  ]),
  occurred_at: z.string(),
  experiment_id: z.string(),
  model_version_id: z.string().nullable(),
  from_stage: stageSchema.nullable(),
  to_stage: stageSchema.nullable(),
  endpoint_name: z.string().nullable(),
  generation: z.int().nullable(),
  weights: z.record(z.string(), z.number()).nullable(),
  rollout_id: z.string().nullable(),
  from_weights: z.record(z.string(), z.number()).nullable(),
  changed_by: z.string(),
  reason: z.string(),
  metrics: metricsSchema,
  evidence: z.record(z.string(), z.unknown()),
});

const shareRow = z.strictObject({ model_version_id: z.string(), weight: z.number() });

/** One index lookup gives the row, however long the history is. */
export const IN_PRODUCTION_AT = `select w.key as model_version_id, w.value::float8 as weight
 from (
   select version_weights from ml_traffic_history
   where endpoint_name = $1 and occurred_at <= $2 order by occurred_at desc, generation desc limit 1
 ) as newest, jsonb_each_text(newest.version_weights) as w
 where w.value::numeric > 0 order by weight desc, model_version_id`;

export class PostgresHistory implements History {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  /**
   * `weights` and `from_weights`, what they were before, are by model version; `model_version_id` of a rollout's event is
   * its candidate's.
   */
  async list(experimentId: string): Promise<HistoryEvent[]> {
    return this.#database.query(
      eventRow,
      `select kind, occurred_at, experiment_id, model_version_id, from_stage, to_stage, endpoint_name, generation,
         weights, from_weights, rollout_id, changed_by, reason, metrics, evidence
       from (
         select kind, occurred_at, experiment_id, model_version_id, from_stage, to_stage, null as endpoint_name,
           null::integer as generation, null::jsonb as weights, null::jsonb as from_weights,
           null as rollout_id, changed_by, reason, metrics, evidence, 0 as source, history_id
         from ml_stage_history where experiment_id = $1
         union all
         select 'traffic', occurred_at, experiment_id, null, null, null, endpoint_name, generation, version_weights,
           lag(version_weights) over (partition by endpoint_name order by generation), null, changed_by, reason,
           metrics, evidence, 1, history_id
         from ml_traffic_history where experiment_id = $1
         union all
         select h.kind, h.occurred_at, h.experiment_id, d.model_version_id, null, null, h.endpoint_name, null, null,
           null, h.rollout_id, h.changed_by, h.reason, h.metrics, jsonb_build_object('verdict', h.verdict) || h.evidence, 2,
           h.history_id
         from ml_rollout_history h join ml_rollouts r using (rollout_id)
           join ml_deployments d on d.deployment_id = r.deployment_id
         where h.experiment_id = $1
         union all
         select 'criteria', set_at, experiment_id, null, null, null, null, null, null, null, null, set_by, reason,
           '{}'::jsonb,
           jsonb_build_object('from', coalesce(lag(criteria) over (order by sequence), '[]'), 'to', criteria), 3, sequence
         from ml_experiment_criteria where experiment_id = $1
       ) as events
       order by occurred_at, source, history_id`,
      [experimentId],
    );
  }

  async lastRollout(endpointName: string): Promise<Rollout | null> {
    const [rollout] = await this.#database.query(
      rolloutSchema,
      `select ${rolloutColumns} from ml_rollouts r where r.endpoint_name = $1 order by r.created_at desc limit 1`,
      [endpointName],
    );
    return rollout ?? null;
  }

  /** A retry's own promotion carries no evidence, so the promotion before it counts. */
  async promotionEvidence(modelVersionId: string): Promise<ShadowEvidence | null> {
    const [evidence] = await this.#database.query(
      shadowEvidenceSchema,
      `select s.* from ml_stage_history h,
         jsonb_to_record(h.evidence -> 'shadow') as s (deployment_id text, hours float8, requests float8,
           errors float8, p99_ms float8, collected_at text)
       where h.model_version_id = $1 and h.kind = 'promotion' and h.to_stage = 'production'
         and jsonb_typeof(h.evidence -> 'shadow') = 'object'
       order by h.history_id desc limit 1`,
      [modelVersionId],
    );
    return evidence ?? null;
  }

  /** The largest share first; empty before the endpoint's first acknowledged generation. */
  async inProductionAt(
    endpointName: string,
    instant: string,
  ): Promise<{ model_version_id: string; weight: number }[]> {
    return this.#database.query(shareRow, IN_PRODUCTION_AT, [endpointName, instant]);
  }
}
