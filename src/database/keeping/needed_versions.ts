import { z } from "zod";
import type { KeepingFacts, NeededVersion } from "../../keeping/prunable_store.ts";
import { bentoTag } from "../../agents/model_deployer/domain/values/names.ts";
import type { SqlDatabase } from "../connection/pool.ts";
import { PostgresClock } from "../repositories/database_clock.ts";

const neededRow = z.strictObject({
  model_version_id: z.string(),
  model_name: z.string(),
  version: z.int(),
  bento_tags: z.array(z.string()),
  digests: z.array(z.string()),
  deployment_ids: z.array(z.string()),
  why: z.string(),
});

/** Of each endpoint, how many of those that served last stay besides what serves: the way back, and the one behind it. */
const WAYS_BACK = 2;

/** A deployment whose server runs or may be wanted again at once. */
const LIVING = `(d.traffic_percentage > 0 or d.status in ('pending', 'deploying', 'active')
  or (d.status = 'draining' and d.drained_at is null)
  or (d.drain_due_at is not null and d.drained_at is null))`;

/**
 * One reason for each version. An operation that has not ended names what it needs in its request or plan, so that a
 * version whose id, deployment or bento stands there stays.
 */
const REASONS = `
  select d.model_version_id, 1 as rank, 'serves on ' || d.endpoint_name as why from ml_deployments d where ${LIVING}
  union all
  select d.model_version_id, 2, 'is mirrored to on ' || e.endpoint_name
  from ml_endpoints e join ml_deployments d on d.deployment_id = e.mirror_deployment_id
  union all
  select d.model_version_id, 3, 'is a way back of ' || d.endpoint_name from (
    select d.*, row_number() over (partition by d.endpoint_name order by s.last desc) as place from (
      select h.endpoint_name, w.key as deployment_id, max(h.generation) as last
      from ml_traffic_history h, jsonb_each_text(h.deployment_weights) as w
      where w.value::numeric > 0 group by h.endpoint_name, w.key
    ) s join ml_deployments d using (deployment_id, endpoint_name)
    where d.target_stage = 'production' and d.traffic_percentage = 0 and d.status not in ('failed', 'rolled_back')
  ) d where d.place <= ${WAYS_BACK}
  union all
  select v.model_version_id, 4, 'is at ' || v.stage from ml_model_registry v
  where v.stage in ('staging', 'shadow', 'production')
  union all
  select d.model_version_id, 5, 'is in rollout ' || r.rollout_id from ml_rollouts r
  join ml_deployments d on d.deployment_id in (r.deployment_id, r.baseline_deployment_id)
  where r.status in ('running', 'paused') or r.watched_until > clock_timestamp()
  union all
  select v.model_version_id, 6, 'is needed by operation ' || o.operation_id
  from ml_operations o join ml_model_registry v on true
  where o.finished_at is null and (
    position(v.model_version_id in o.request::text || coalesce(o.plan::text, '')) > 0
    or position(v.mlflow_run_id in o.request::text || coalesce(o.plan::text, '')) > 0
    or exists (select from ml_deployments d where d.model_version_id = v.model_version_id and (
      position(d.deployment_id in o.request::text || coalesce(o.plan::text, '')) > 0
      or o.request ->> 'endpoint_name' = d.endpoint_name)))`;

const NEEDED = `select n.model_version_id, v.model_name, v.version, n.why,
    coalesce((select jsonb_agg(distinct d.bento_tag) from ml_deployments d
              where d.model_version_id = v.model_version_id), '[]') as bento_tags,
    to_jsonb(array_remove(array[v.artifact_digest, v.preprocessing_digest], null)) as digests,
    coalesce((select jsonb_agg(d.deployment_id) from ml_deployments d
              where d.model_version_id = v.model_version_id and ${LIVING}), '[]') as deployment_ids
  from (select distinct on (model_version_id) model_version_id, why from (${REASONS}) r
        order by model_version_id, rank) n
  join ml_model_registry v using (model_version_id)`;

/** Finds the versions that are needed: those that serve, their ways back, those at a stage, and those that open work names. */
export class PostgresKeepingFacts implements KeepingFacts {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  async needed(): Promise<NeededVersion[]> {
    const rows = await this.#database.query(neededRow, NEEDED);
    return rows.flatMap(({ model_name, version, bento_tags, ...row }) =>
      [...new Set([bentoTag({ model_name, version }), ...bento_tags])].map((bento_tag) => ({
        ...row,
        bento_tag,
      })),
    );
  }

  async now(): Promise<string> {
    return new PostgresClock(this.#database).now();
  }
}
