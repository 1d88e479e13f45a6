import { z } from "zod";
import {
  deploymentSchema,
  endpointSchema,
  modelVersionSchema,
} from "../../agents/model_deployer/domain/entities.ts";
import { rolloutSchema } from "../../agents/model_deployer/domain/rollout.ts";
import type { RollbackFactsReader, StoredRollbackFacts } from "../../agents/model_deployer/store_ports.ts";
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
});

const version = (of: string) =>
  `(select to_jsonb(x) from (
     select ${modelVersionColumns} from ml_model_registry v join ${of} o using (model_version_id)
   ) x)`;

/** One statement, for whoever rolls back waits for each round trip. */
export class PostgresRollbackFacts implements RollbackFactsReader {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async read(deploymentId: string): Promise<StoredRollbackFacts | null> {
    const [facts] = await this.#database.query(
      factsRow,
      `with current as (
         select ${deploymentColumns} from ml_deployments d where d.deployment_id = $1
       ), previous as (
         select p.* from current c cross join lateral (${previousProduction("c.deployment_id", "c.endpoint_name")}) p
       )
       select to_jsonb(c) as current, (select to_jsonb(p) from previous p) as previous,
         ${version("current")} as current_version, ${version("previous")} as previous_version,
         (select to_jsonb(x) from (
            select ${endpointColumns} from ml_endpoints e where e.endpoint_name = c.endpoint_name
          ) x) as endpoint,
         (select to_jsonb(x) from (
            select ${rolloutColumns} from ml_rollouts r
            where r.endpoint_name = c.endpoint_name and r.status in ('running', 'paused')
          ) x) as open_rollout
       from current c`,
      [deploymentId],
    );
    return facts ?? null;
  }
}
