import {
  deploymentSchema,
  STOPPABLE_STATUSES,
  type Deployment,
} from "../../agents/model_deployer/domain/entities.ts";
import type { Deployments } from "../../agents/model_deployer/ports/stores/entity_stores.ts";
import { isRoutedSql, markDrained } from "../changes/deployment_changes.ts";
import type { SqlDatabase } from "../connection/pool.ts";
import { anyRow } from "../connection/transaction.ts";
import { deploymentColumns } from "../rows.ts";

const servedEarlier = (deploymentId: string) =>
  `s.first < coalesce((select first from served where deployment_id = ${deploymentId}), 2147483647)`;

/**
 * SQL for the production deployment of the endpoint that served last before the router first acknowledged the given one
 * with a weight above 0; without any, for the one that served last of those that were replaced since, past which the given
 * one has come back. One that failed or was rolled back is no way back.
 * @param deploymentId SQL that names the given deployment, as `endpointName` its endpoint
 */
export function previousProduction(deploymentId: string, endpointName: string): string {
  return `with served as (
      select w.key as deployment_id, min(h.generation) as first, max(h.generation) as last
      from ml_traffic_history h, jsonb_each_text(h.deployment_weights) as w
      where h.endpoint_name = ${endpointName} and w.value::numeric > 0
      group by w.key
    )
    select ${deploymentColumns} from served s join ml_deployments d using (deployment_id)
    where d.deployment_id <> ${deploymentId} and d.endpoint_name = ${endpointName}
      and d.target_stage = 'production' and d.status not in ('failed', 'rolled_back')
      and (${servedEarlier(deploymentId)} or d.status = 'draining')
    order by ${servedEarlier(deploymentId)} desc, s.last desc, s.first desc limit 1`;
}

const DUE_TO_DRAIN = `d.drain_due_at <= clock_timestamp() and d.drained_at is null
  and (d.stopping_until is null or d.stopping_until <= clock_timestamp())`;

/** SQL for whether an operation that is under way is about to take over the server of `d`. */
const IS_TAKEN_OVER = `exists (
  select from ml_operations o where o.finished_at is null and o.status in ('planned', 'carrying_out')
    and o.plan -> 'steps' @> jsonb_build_array(
      jsonb_build_object('do', jsonb_build_object('takes_over', d.deployment_id)))
)`;

export class MLDeploymentRepository implements Deployments {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  async get(deploymentId: string): Promise<Deployment | null> {
    const [deployment] = await this.#database.query(
      deploymentSchema,
      `select ${deploymentColumns} from ml_deployments d where d.deployment_id = $1`,
      [deploymentId],
    );
    return deployment ?? null;
  }

  async listForEndpoint(endpointName: string): Promise<Deployment[]> {
    return this.#newestFirst("d.endpoint_name = $1", endpointName);
  }

  async listForVersion(modelVersionId: string): Promise<Deployment[]> {
    return this.#newestFirst("d.model_version_id = $1", modelVersionId);
  }

  async getPreviousProduction(deployment: Deployment): Promise<Deployment | null> {
    const [previous] = await this.#database.query(deploymentSchema, previousProduction("$1", "$2"), [
      deployment.deployment_id,
      deployment.endpoint_name,
    ]);
    return previous ?? null;
  }

  /** Locks the endpoints before the deployments, as changes of a route do: see `requireNoneIsStopping`. */
  async claimForDraining(options: Parameters<Deployments["claimForDraining"]>[0]): Promise<Deployment[]> {
    return this.#database.transaction(async (tx) => {
      await tx.query(
        anyRow,
        `select from ml_endpoints e where exists (
           select from ml_deployments d where d.endpoint_name = e.endpoint_name and ${DUE_TO_DRAIN}
         ) order by e.endpoint_name for share`,
      );
      return tx.query(
        deploymentSchema,
        `with due as (
           select d.deployment_id from ml_deployments d
           where ${DUE_TO_DRAIN} and d.status = any ($3::deployment_status_enum[])
             and ($4::text = d.deployment_id or ($4 is null and not ${IS_TAKEN_OVER})) and not exists (
             select from ml_endpoints e where e.endpoint_name = d.endpoint_name and ${isRoutedSql("d", "e")}
           )
           order by d.drain_due_at, d.deployment_id limit $1 for update skip locked
         )
         update ml_deployments d set stopping_until = clock_timestamp() + make_interval(secs => $2)
         from due where d.deployment_id = due.deployment_id
         returning ${deploymentColumns}`,
        [options.limit, options.claim_seconds, STOPPABLE_STATUSES, options.deployment_id ?? null],
      );
    });
  }

  async giveUpDraining(deploymentId: string, options: { retry_seconds: number }): Promise<void> {
    await this.#database.query(
      anyRow,
      `update ml_deployments set stopping_until = null,
         drain_due_at = greatest(drain_due_at, clock_timestamp() + make_interval(secs => $2))
       where deployment_id = $1 and stopping_until is not null and drained_at is null`,
      [deploymentId, options.retry_seconds],
    );
  }

  async drainAgain(deploymentId: string): Promise<void> {
    await this.#database.query(
      anyRow,
      `update ml_deployments set drained_at = null, drain_due_at = clock_timestamp()
       where deployment_id = $1 and status = any ($2::deployment_status_enum[])
         and (drained_at is not null or drain_due_at is null)`,
      [deploymentId, STOPPABLE_STATUSES],
    );
  }

  async markDrained(deploymentId: string): Promise<void> {
    await this.#database.transaction((tx) =>
      markDrained(tx, { change: "mark_drained", deployment_id: deploymentId }),
    );
  }

  async #newestFirst(condition: string, value: string): Promise<Deployment[]> {
    return this.#database.query(
      deploymentSchema,
      `select ${deploymentColumns} from ml_deployments d where ${condition}
       order by d.deployed_at desc, d.deployment_id`,
      [value],
    );
  }
}
