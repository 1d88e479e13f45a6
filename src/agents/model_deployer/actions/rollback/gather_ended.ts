import type { ModelVersion } from "../../domain/entities.ts";
import { endpointName, rolloutId } from "../../domain/values/names.ts";
import type { Database } from "../../ports/parts.ts";
import { type EndedFacts, notEnded } from "./ended_version.ts";

/** Read only for a version that is archived. */
export async function gatherEnded(database: Database, version: ModelVersion | null): Promise<EndedFacts> {
  if (version?.stage !== "archived") return notEnded;
  const [ways, deployments] = await Promise.all([
    database.rollbackFacts.waysBack(endpointName(version.experiment_id, "production")),
    database.deployments.listForVersion(version.model_version_id),
  ]);
  for (const { operation_id, target_stage } of deployments) {
    if (target_stage !== "production") continue;
    const last_rollout = await database.rollouts.get(rolloutId(operation_id));
    if (last_rollout !== null) return { ways, last_rollout };
  }
  return { ways, last_rollout: null };
}
