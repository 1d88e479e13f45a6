import { decideRestart } from "./decide.ts";
import { type Planner, plannerFor } from "../planner.ts";
import type { Parts } from "../../ports/parts.ts";

/** Starts another server of a deployment in the place of the one that it has. */
export function restartPlanner({ database }: Parts): Planner {
  return plannerFor("restart", async (request, context) => {
    const deployment = await database.deployments.get(request.deployment_id);
    const [version, endpoint] = await Promise.all([
      deployment === null ? null : database.modelVersions.get(deployment.model_version_id),
      deployment === null ? null : database.endpoints.get(deployment.endpoint_name),
    ]);
    return decideRestart(request, { deployment, version, endpoint }, context);
  });
}
