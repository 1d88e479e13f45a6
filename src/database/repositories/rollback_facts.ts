import { z } from "zod";
import {
  deploymentSchema,
  endpointSchema,
  modelVersionSchema,
} from "../../agents/model_deployer/domain/entities.ts";
import { rolloutSchema } from "../../agents/model_deployer/domain/rollout.ts";
import type { RollbackFactsReader, StoredRollbackFacts } from "../../agents/model_deployer/store_ports.ts";
import { Coalesced } from "../coalesced.ts";
import type { Database } from "../pool.ts";
import {
  deploymentColumns,
  endpointColumns,
  fromJsonb,
  modelVersionColumns,
  rolloutColumns,
} from "../rows.ts";
import { previousProduction } from "./ml_deployment.ts";

const factsRow: z.ZodType<StoredRollbackFacts> = z.strictObject({
  current: fromJsonb(deploymentSchema),
  current_version: fromJsonb(modelVersionSchema).nullable(),
  endpoint: fromJsonb(endpointSchema).nullable(),
  previous: fromJsonb(deploymentSchema).nullable(),
  previous_version: fromJsonb(modelVersionSchema).nullable(),
  open_rollout: fromJsonb(rolloutSchema).nullable(),
  completed_rollout: fromJsonb(rolloutSchema).nullable(),
});

const version = (id: string) =>
  `(select to_jsonb(x) from (
     select ${modelVersionColumns} from ml_model_registry v where v.model_version_id = ${id}
   ) x)`;

const rollout = (condition: string) =>
  `(select to_jsonb(x) from (select ${rolloutColumns} from ml_rollouts r where ${condition}) x)`;

/** One statement, for whoever rolls back waits for each round trip, and a worker asks for many side by side. */
export class PostgresRollbackFacts implements RollbackFactsReader {
  readonly #database: Database;
  readonly #reads = new Coalesced((ids: string[]) => this.#readAll(ids));

  constructor(database: Database) {
    this.#database = database;
  }

  async read(deploymentId: string): Promise<StoredRollbackFacts | null> {
    return this.#reads.call(deploymentId);
  }

  async #readAll(deploymentIds: string[]): Promise<(StoredRollbackFacts | null)[]> {
    const found = await this.#database.query(
      factsRow,
      `select to_jsonb(c) as current, to_jsonb(p) as previous,
         ${version("c.model_version_id")} as current_version, ${version("p.model_version_id")} as previous_version,
         (select to_jsonb(x) from (
            select ${endpointColumns} from ml_endpoints e where e.endpoint_name = c.endpoint_name
          ) x) as endpoint,
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
