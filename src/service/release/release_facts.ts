import { z } from "zod";
import {
  deploymentSchema,
  endpointSchema,
  modelVersionSchema,
} from "../../agents/model_deployer/domain/entities.ts";
import { endpointName } from "../../agents/model_deployer/domain/values/names.ts";
import type { DeployerDatabase } from "../../database/index.ts";

/** How far a run is on its way to production. */
export const releaseFactsSchema = z.strictObject({
  experiment_id: z.string(),
  mlflow_run_id: z.string(),
  /** Null before it is registered. */
  version: modelVersionSchema.nullable(),
  /** Of the version, newest first. */
  deployments: z.array(deploymentSchema),
  /** The candidate of the rollout that is open; null where none is. */
  candidate_id: z.string().nullable(),
  /** The experiment's endpoint of production; null before it is open. */
  endpoint: endpointSchema.pick({ endpoint_name: true, endpoint_url: true }).nullable(),
});
export type ReleaseFacts = z.infer<typeof releaseFactsSchema>;

type Database = Pick<DeployerDatabase, "rollouts" | "modelVersions" | "deployments" | "endpoints">;

export async function releaseFacts(
  { rollouts, modelVersions, deployments, endpoints }: Database,
  experiment_id: string,
  mlflow_run_id: string,
): Promise<ReleaseFacts> {
  const production = endpointName(experiment_id, "production");
  const [open, version, endpoint] = await Promise.all([
    rollouts.getOpen(production),
    modelVersions.getByRun(experiment_id, mlflow_run_id),
    endpoints.get(production),
  ]);
  return {
    ...{ experiment_id, mlflow_run_id, version },
    deployments: version === null ? [] : await deployments.listForVersion(version.model_version_id),
    candidate_id: open?.deployment_id ?? null,
    endpoint:
      endpoint === null
        ? null
        : { endpoint_name: endpoint.endpoint_name, endpoint_url: endpoint.endpoint_url },
  };
}
