import { AgentError } from "../../../base/agent_error.ts";
import type { Parts } from "../../ports/parts.ts";
import type { CallOptions } from "../../ports/call_options.ts";
import { type Planner, plannerFor } from "../planner.ts";
import { decideUpdate } from "./decide.ts";
import type { UsedByServer } from "./facts.ts";

/** Changes the replicas, limits and autoscaling of one deployment in place. */
export function updatePlanner(parts: Parts): Planner {
  const { database } = parts;
  return plannerFor("update", async (request, context, options) => {
    const deployment = await database.deployments.get(request.deployment_id);
    const [version, endpoint, used] = await Promise.all([
      deployment === null ? null : database.modelVersions.get(deployment.model_version_id),
      deployment === null ? null : database.endpoints.get(deployment.endpoint_name),
      deployment === null ? null : usedBy(parts, deployment.deployment_id, options),
    ]);
    return decideUpdate(request, { deployment, version, endpoint, used }, context);
  });
}

/** Null where it cannot be measured, which the plan's notes say. */
async function usedBy(
  { serverUsage }: Parts,
  deploymentId: string,
  options: CallOptions,
): Promise<UsedByServer[] | null> {
  if (serverUsage === undefined) return null;
  try {
    return await serverUsage.usage(deploymentId, options);
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    return null;
  }
}
