import { z } from "zod";
import {
  deploymentSchema,
  endpointSchema,
  modelVersionSchema,
} from "../../../agents/model_deployer/domain/entities.ts";
import { rolloutSchema } from "../../../agents/model_deployer/domain/traffic/rollout.ts";
import {
  type AcknowledgedWeights,
  acknowledgedWeightsSchema,
  type LookVerdict,
  lookVerdictSchema,
  trafficChangeSchema,
} from "../../../agents/model_deployer/domain/traffic/route_history.ts";
import type { SqlDatabase } from "../../connection/pool.ts";
import {
  deploymentColumns,
  endpointColumns,
  fromJsonb,
  modelVersionColumns,
  rolloutColumns,
  rowOf,
} from "../../rows.ts";

const summaryRow = z.strictObject({
  endpoint: fromJsonb(endpointSchema),
  /** On the route, mirrored to, or a side of the rollout that began last; each with its version. */
  routed: z.array(
    z.strictObject({ deployment: fromJsonb(deploymentSchema), version: fromJsonb(modelVersionSchema) }),
  ),
  /** The rollout that began last, whatever has become of it. */
  rollout: fromJsonb(rolloutSchema).nullable(),
  last_change: fromJsonb(trafficChangeSchema).nullable(),
});
export type EndpointSummary = z.infer<typeof summaryRow>;

const ROUTED = `select coalesce(jsonb_agg(jsonb_build_object('deployment', to_jsonb(one), 'version',
    ${rowOf(modelVersionColumns, "ml_model_registry v where v.model_version_id = one.model_version_id")}
  ) order by one.deployed_at desc, one.deployment_id), '[]')
  from (
    select ${deploymentColumns} from ml_deployments d where d.endpoint_name = e.endpoint_name and (
      d.traffic_percentage > 0 or d.deployment_id in (e.mirror_deployment_id, l.deployment_id, l.baseline_deployment_id)
    )
  ) one`;

const LAST_ROLLOUT = `left join lateral (
  select ${rolloutColumns} from ml_rollouts r where r.endpoint_name = e.endpoint_name
  order by r.created_at desc limit 1
) l on true`;

/** Readings of endpoints for people who watch them, each in one statement. */
export class PostgresEndpointSummaries {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  /** By name; only those of the names, unless null is given. */
  async list(names: readonly string[] | null): Promise<EndpointSummary[]> {
    return this.#database.query(
      summaryRow,
      `select (select to_jsonb(x) from (select ${endpointColumns}) x) as endpoint, (${ROUTED}) as routed,
         case when l.rollout_id is null then null else to_jsonb(l) end as rollout,
         ${rowOf(
           "h.occurred_at, h.changed_by, h.reason, h.metrics",
           `ml_traffic_history h where h.endpoint_name = e.endpoint_name
            order by h.occurred_at desc, h.generation desc limit 1`,
         )} as last_change
       from ml_endpoints e ${LAST_ROLLOUT}
       where $1::text[] is null or e.endpoint_name = any ($1) order by e.endpoint_name`,
      [names],
    );
  }

  /** The last so many generations, oldest first; with the one that was in force at `since`. */
  async weights(
    endpointName: string,
    { since, limit }: { since: string | null; limit: number },
  ): Promise<AcknowledgedWeights[]> {
    return this.#database.query(
      acknowledgedWeightsSchema,
      `select * from (
         select occurred_at, generation, version_weights, deployment_weights, mirror_deployment_id, changed_by, reason,
           metrics, evidence, operation_id
         from ml_traffic_history where endpoint_name = $1 and ($2::timestamptz is null or occurred_at >= coalesce((
           select max(occurred_at) from ml_traffic_history where endpoint_name = $1 and occurred_at <= $2
         ), $2)) order by occurred_at desc, generation desc limit $3
       ) as newest order by occurred_at, generation`,
      [endpointName, since, limit],
    );
  }

  /** The last so many looks, or of those after `since`, oldest first. */
  async looks(
    rolloutId: string,
    { since, limit }: { since: string | null; limit: number },
  ): Promise<LookVerdict[]> {
    return this.#database.query(
      lookVerdictSchema,
      `select looked_at, status, step_index, candidate_weight, challenged, verdict from (
         select * from ml_verdict_history where rollout_id = $1 and ($2::timestamptz is null or looked_at > $2)
         order by looked_at desc, look_id desc limit $3
       ) as newest order by looked_at, look_id`,
      [rolloutId, since, limit],
    );
  }
}
