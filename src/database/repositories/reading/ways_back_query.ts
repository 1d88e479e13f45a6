import { z } from "zod";
import {
  deploymentSchema,
  endpointSchema,
  modelVersionSchema,
} from "../../../agents/model_deployer/domain/entities.ts";
import { rolloutSchema } from "../../../agents/model_deployer/domain/traffic/rollout.ts";
import {
  departureSchema,
  returnSchema,
  type WaysBack,
} from "../../../agents/model_deployer/domain/traffic/ways_back.ts";
import type { SqlDatabase } from "../../connection/pool.ts";
import {
  deploymentColumns,
  endpointColumns,
  fromJsonb,
  modelVersionColumns,
  rolloutColumns,
  rowOf,
} from "../../rows.ts";

const servedRow = z.strictObject({
  deployment: fromJsonb(deploymentSchema),
  version: fromJsonb(modelVersionSchema),
  departure: fromJsonb(departureSchema).nullable(),
  was_only_stopped: z.boolean(),
  returned: fromJsonb(returnSchema).nullable(),
  is_stopping: z.boolean(),
});

const waysRow: z.ZodType<WaysBack> = z.strictObject({
  endpoint: fromJsonb(endpointSchema),
  production: fromJsonb(modelVersionSchema).nullable(),
  open_rollout: fromJsonb(rolloutSchema).nullable(),
  served: z.array(servedRow),
});

/** Further back nobody looks; a version that served earlier is deployed anew. */
const MOST_SERVED = 50;

/** Why the version left production the last time; null while it is there. */
const DEPARTURE = rowOf(
  "h.kind, h.reason, h.changed_by, h.occurred_at, h.evidence -> 'verdict' as verdict",
  `ml_stage_history h where h.model_version_id = s.model_version_id and h.from_stage = 'production'
     and exists (select from ml_model_registry v
                 where v.model_version_id = h.model_version_id and v.stage = 'archived')
   order by h.stage_revision desc limit 1`,
);

const TRAFFIC = "ml_traffic_history h where h.endpoint_name = s.endpoint_name";
const SHARE = "(h.deployment_weights ->> s.deployment_id)::numeric";

/** An aborted rollout is not written again, so its row tells when it was stopped, and what the judge had said by then. */
const WAS_ONLY_STOPPED = `exists (
    select from ml_rollouts r where r.deployment_id = s.deployment_id and r.status = 'aborted'
      and r.verdict ->> 'outcome' is distinct from 'fail'
      and not exists (select from ${TRAFFIC} and ${SHARE} > 0 and h.occurred_at > r.updated_at)
  )`;

const RETURNED = rowOf(
  "h.reason, h.changed_by, h.occurred_at",
  `${TRAFFIC} and ${SHARE} = 100 and h.operation_id in (
     select o.operation_id from ml_operations o where o.action = 'rollback')
   order by h.generation desc limit 1`,
);

/** Had traffic by the router's word, or is wanted to have some; what has it now comes first, the newest before others. */
const SERVED = `
  select d.*, w.last, w.first from ml_deployments d left join (
    select w.key as deployment_id, max(h.generation) as last, min(h.generation) as first
    from ml_traffic_history h, jsonb_each_text(h.deployment_weights) as w
    where h.endpoint_name = $1 and w.value::numeric > 0
    group by w.key
  ) w using (deployment_id)
  where d.endpoint_name = $1 and d.target_stage = 'production'
    and (d.traffic_percentage > 0 or (w.last is not null and d.status <> 'failed'))
  order by coalesce(w.last, 2147483647) desc, coalesce(w.first, 2147483647) desc, d.deployed_at desc
  limit ${MOST_SERVED}`;

/** One statement: what is seen is of one moment. */
export async function readWaysBack(database: SqlDatabase, endpointName: string): Promise<WaysBack | null> {
  const [ways] = await database.query(
    waysRow,
    `with served as (${SERVED})
     select ${rowOf(endpointColumns, "ml_endpoints e where e.endpoint_name = e0.endpoint_name")} as endpoint,
       ${rowOf(modelVersionColumns, "ml_model_registry v where v.experiment_id = e0.experiment_id and v.stage = 'production'")} as production,
       ${rowOf(rolloutColumns, "ml_rollouts r where r.endpoint_name = e0.endpoint_name and r.status in ('running', 'paused')")} as open_rollout,
       coalesce((
         select jsonb_agg(jsonb_build_object(
           'deployment', ${rowOf(deploymentColumns, "ml_deployments d where d.deployment_id = s.deployment_id")},
           'version', ${rowOf(modelVersionColumns, "ml_model_registry v where v.model_version_id = s.model_version_id")},
           'departure', ${DEPARTURE},
           'was_only_stopped', ${WAS_ONLY_STOPPED},
           'returned', ${RETURNED},
           'is_stopping', coalesce(s.stopping_until > clock_timestamp(), false)
         ) order by coalesce(s.last, 2147483647) desc, coalesce(s.first, 2147483647) desc, s.deployed_at desc)
         from served s
       ), '[]') as served
     from ml_endpoints e0 where e0.endpoint_name = $1`,
    [endpointName],
  );
  return ways ?? null;
}
