import { z } from "zod";
import type { Change } from "../../../agents/model_deployer/domain/changes.ts";
import {
  deploymentSchema,
  endpointSchema,
  modelVersionSchema,
  type ModelVersion,
} from "../../../agents/model_deployer/domain/entities.ts";
import type { Busy, RunningServer } from "../../../agents/model_deployer/domain/servers/running_server.ts";
import type { Lease } from "../../../agents/model_deployer/ports/stores/operation_stores.ts";
import type {
  Page,
  Reconciliation,
  StoredEndpointFacts,
} from "../../../agents/model_deployer/ports/stores/entity_stores.ts";
import { applyChanges } from "../../apply_changes.ts";
import { isRoutedSql } from "../../changes/deployment_changes.ts";
import type { SqlDatabase } from "../../connection/pool.ts";
import { deploymentColumns, endpointColumns, fromJsonb, modelVersionColumns } from "../../rows.ts";
import { requireNewest } from "../journal/leases.ts";
import { restartsOf, restartsSchema } from "../restarts_query.ts";

const busyRow: z.ZodType<Busy | null> = z
  .strictObject({ kind: z.enum(["held", "interrupted"]), by: z.string() })
  .nullable();

const endpointRow: z.ZodType<StoredEndpointFacts> = z.strictObject({
  endpoint: fromJsonb(endpointSchema),
  busy: busyRow,
  candidate_id: z.string().nullable(),
  served: z.array(
    z.strictObject({
      deployment: fromJsonb(deploymentSchema),
      version: fromJsonb(modelVersionSchema),
      restarts: fromJsonb(restartsSchema).nullable(),
    }),
  ),
  unreached: z.array(fromJsonb(deploymentSchema)),
});

const serverRow: z.ZodType<RunningServer> = z.strictObject({
  deployment_id: z.string(),
  deployment: fromJsonb(deploymentSchema).nullable(),
  busy: busyRow,
});

/** SQL for who works on an endpoint: the holder of its lease, unless that is `token`; else an interrupted operation. */
const busyWith = (endpointName: string, token: string) => `coalesce(
  (select jsonb_build_object('kind', 'held', 'by', format('%s holds it since %s', l.holder, l.acquired_at))
   from ml_leases l where l.name = ${endpointName} and not l.released and l.expires_at > clock_timestamp()
     and l.token is distinct from ${token}),
  (select jsonb_build_object('kind', 'interrupted', 'by', format('operation %s is %s', o.operation_id, o.status))
   from ml_operations o
   where (o.lease_name = ${endpointName} or o.plan -> 'also_leases' ? ${endpointName}) and o.status in ('planned', 'carrying_out')
     and o.finished_at is null order by o.created_at limit 1)
)`;

const SERVED = `select coalesce(jsonb_agg(jsonb_build_object('deployment', to_jsonb(one), 'version', (
    select to_jsonb(x) from (
      select ${modelVersionColumns} from ml_model_registry v where v.model_version_id = one.model_version_id
    ) x
  ), 'restarts', ${restartsOf("one.deployment_id")}) order by one.deployment_id), '[]')
  from (
    select ${deploymentColumns} from ml_deployments d where d.endpoint_name = e.endpoint_name and (
      ${isRoutedSql("d", "e")} or (
        d.target_stage = 'production' and d.status = 'draining' and d.drained_at is null
        and d.drain_due_at > clock_timestamp() and d.stopping_until is null
      )
    )
  ) one`;

const UNREACHED = `select coalesce(jsonb_agg(to_jsonb(one) order by one.deployment_id), '[]')
  from (
    select ${deploymentColumns} from ml_deployments d where d.endpoint_name = e.endpoint_name
      and d.status = 'active' and not ${isRoutedSql("d", "e")} and not exists (
        select from ml_rollouts r where r.endpoint_name = e.endpoint_name and r.status in ('running', 'paused')
      )
  ) one`;

const endpointFacts = (token: string) => `select
  (select to_jsonb(x) from (select ${endpointColumns}) x) as endpoint, (${SERVED}) as served, (${UNREACHED}) as unreached,
  ${busyWith("e.endpoint_name", token)} as busy,
  (select r.deployment_id from ml_rollouts r
   where r.endpoint_name = e.endpoint_name and r.status in ('running', 'paused')) as candidate_id
  from ml_endpoints e`;

export class PostgresReconciliation implements Reconciliation {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  async endpoints({ after, limit }: Page): Promise<StoredEndpointFacts[]> {
    return this.#database.query(
      endpointRow,
      `${endpointFacts("null")} where $1::text is null or e.endpoint_name > $1 order by e.endpoint_name limit $2`,
      [after, limit],
    );
  }

  async endpointUnder(lease: Lease): Promise<StoredEndpointFacts | null> {
    const [facts] = await this.#database.query(
      endpointRow,
      `${endpointFacts("$2::bigint")} where e.endpoint_name = $1`,
      [lease.name, lease.token],
    );
    return facts ?? null;
  }

  async servers(deploymentIds: string[]): Promise<RunningServer[]> {
    return this.#database.query(
      serverRow,
      `select asked.id as deployment_id,
         (select to_jsonb(x) from (
            select ${deploymentColumns} from ml_deployments d where d.deployment_id = asked.id
          ) x) as deployment,
         (select ${busyWith("d.endpoint_name", "null")} from ml_deployments d where d.deployment_id = asked.id) as busy
       from unnest($1::text[]) as asked (id) order by asked.id`,
      [deploymentIds],
    );
  }

  async projected({ after, limit }: Page): Promise<ModelVersion[]> {
    return this.#database.query(
      modelVersionSchema,
      `select ${modelVersionColumns} from ml_model_registry v
       where ($1::text is null or v.model_version_id > $1) and not exists (
         select from ml_outbox b where b.topic = 'registry_projection' and b.delivered_at is null
           and b.payload ->> 'model_version_id' = v.model_version_id
       ) order by v.model_version_id limit $2`,
      [after, limit],
    );
  }

  async repair(changes: Change[], lease: Lease, requestedBy: string): Promise<void> {
    const context = { operation_id: null, payload_hash: null, requested_by: requestedBy, generation: null };
    await this.#database.transaction(async (tx) => {
      await requireNewest(tx, lease);
      await applyChanges(tx, changes, context);
    });
  }
}
