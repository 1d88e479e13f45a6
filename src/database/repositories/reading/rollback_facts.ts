import { z } from "zod";
import {
  deploymentSchema,
  endpointSchema,
  modelVersionSchema,
} from "../../../agents/model_deployer/domain/entities.ts";
import { rolloutSchema } from "../../../agents/model_deployer/domain/traffic/rollout.ts";
import type { RollbackFactsReader } from "../../../agents/model_deployer/ports/stores/entity_stores.ts";
import type {
  StoredRollbackFacts,
  WaysBack,
} from "../../../agents/model_deployer/domain/traffic/ways_back.ts";
import { batched } from "../../connection/batched.ts";
import type { SqlDatabase } from "../../connection/pool.ts";
import {
  deploymentColumns,
  endpointColumns,
  fromJsonb,
  modelVersionColumns,
  rolloutColumns,
  rowOf,
} from "../../rows.ts";
import { previousProduction } from "../ml_deployment.ts";
import { readWaysBack } from "./ways_back_query.ts";
import { restartsOf, restartsSchema } from "../restarts_query.ts";

const factsRow: z.ZodType<StoredRollbackFacts> = z.strictObject({
  current: fromJsonb(deploymentSchema),
  current_version: fromJsonb(modelVersionSchema).nullable(),
  endpoint: fromJsonb(endpointSchema).nullable(),
  previous: fromJsonb(deploymentSchema).nullable(),
  previous_version: fromJsonb(modelVersionSchema).nullable(),
  previous_restarts: fromJsonb(restartsSchema).nullable(),
  previous_is_stopping: z.boolean(),
  open_rollout: fromJsonb(rolloutSchema).nullable(),
  completed_rollout: fromJsonb(rolloutSchema).nullable(),
});

const version = (id: string) =>
  rowOf(modelVersionColumns, `ml_model_registry v where v.model_version_id = ${id}`);

const rollout = (condition: string) => rowOf(rolloutColumns, `ml_rollouts r where ${condition}`);

/** Reads all in one statement: a rollback waits for each round trip, and a worker reads many side by side. */
export class PostgresRollbackFacts implements RollbackFactsReader {
  readonly #database: SqlDatabase;
  readonly #reads = batched((ids: readonly string[]) => this.#readAll(ids));

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  async read(deploymentId: string): Promise<StoredRollbackFacts | null> {
    return this.#reads.load(deploymentId);
  }

  async waysBack(endpointName: string): Promise<WaysBack | null> {
    return readWaysBack(this.#database, endpointName);
  }

  async #readAll(deploymentIds: readonly string[]): Promise<(StoredRollbackFacts | null)[]> {
    const found = await this.#database.query(
      factsRow,
      `select to_jsonb(c) as current, to_jsonb(p) as previous,
         ${version("c.model_version_id")} as current_version, ${version("p.model_version_id")} as previous_version,
         ${restartsOf("p.deployment_id")} as previous_restarts,
         coalesce((select d.stopping_until > clock_timestamp() from ml_deployments d
                   where d.deployment_id = p.deployment_id), false) as previous_is_stopping,
         ${rowOf(endpointColumns, "ml_endpoints e where e.endpoint_name = c.endpoint_name")} as endpoint,
         ${rollout("r.endpoint_name = c.endpoint_name and r.status in ('running', 'paused')")} as open_rollout,
         ${rollout("r.deployment_id = c.deployment_id and r.status = 'completed'")} as completed_rollout
       from (select ${deploymentColumns} from ml_deployments d where d.deployment_id = any ($1::text[])) c
       left join lateral (${previousProduction("c.deployment_id", "c.endpoint_name")}) p on true`,
      [deploymentIds],
    );
    const byId = new Map(found.map((facts) => [facts.current.deployment_id, facts]));
    return deploymentIds.map((id) => byId.get(id) ?? null);
  }
}
