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
  const facts = await database.rollbackFacts.read(deploymentId);
  if (facts === null) return nothingKnown;
  const { previous, endpoint: known } = facts;
  const [endpoint, previous_is_ready] = await Promise.all([
    known === null ? null : endpoints.withLivingMirror(known, options),
    previous === null ? false : endpoints.isReady(previous.deployment_id, previous.bento_tag, options),
  ]);
  return { ...facts, endpoint, previous_is_ready };
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
