import { decideRollback, type RollbackFacts } from "../domain/decide_rollback.ts";
import type { EndpointManager } from "../endpoint_manager.ts";
import type { Planner } from "../operation_runner.ts";
import type { Database, Parts } from "../parts.ts";
import type { CallOptions } from "../ports.ts";
import { plannerFor } from "./planner.ts";

/** Brings back what served before; waits for no approval and no step. */
export function rollbackPlanner(parts: Parts, endpoints: EndpointManager): Planner {
  return plannerFor("rollback", async (request, context, options) =>
    decideRollback(
      request,
      await gatherRollback(parts.database, endpoints, request.current_deployment_id, options),
      context,
    ),
  );
}

export async function gatherRollback(
  database: Database,
  endpoints: EndpointManager,
  deploymentId: string,
  options: CallOptions,
): Promise<RollbackFacts> {
  const current = await database.deployments.get(deploymentId);
  if (current === null) return nothingKnown;
  const [current_version, endpoint, previous, open_rollout] = await Promise.all([
    database.modelVersions.get(current.model_version_id),
    database.endpoints.get(current.endpoint_name),
    database.deployments.getPreviousProduction(current),
    database.rollouts.getOpen(current.endpoint_name),
  ]);
  const [previous_version, previous_is_ready] = await Promise.all([
    previous === null ? null : database.modelVersions.get(previous.model_version_id),
    previous === null ? false : endpoints.isReady(previous.deployment_id, previous.bento_tag, options),
  ]);
  return { current, current_version, endpoint, previous, previous_version, previous_is_ready, open_rollout };
}

const nothingKnown: RollbackFacts = {
  current: null,
  current_version: null,
  endpoint: null,
  previous: null,
  previous_version: null,
  previous_is_ready: false,
  open_rollout: null,
};
