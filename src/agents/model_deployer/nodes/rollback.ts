import { decideRollback, type RollbackFacts } from "../domain/decide_rollback.ts";
import type { EndpointManager } from "../endpoint_manager.ts";
import type { Planner } from "../operation_runner.ts";
import type { Database, Parts } from "../parts.ts";
import type { CallOptions } from "../ports.ts";
import type { StoredRollbackFacts } from "../store_ports.ts";
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
  const stored = await database.rollbackFacts.read(deploymentId);
  if (stored === null) return { ...nothingKnown, live: { missing: "there is no such deployment" } };
  const [wayBack, live] = await Promise.all([
    seen(stored, endpoints, options),
    endpoints.liveFigures(stored.current.endpoint_name, options),
  ]);
  return { ...wayBack, live };
}

type WayBack = Omit<RollbackFacts, "live">;

/** The same for whoever has the router's figures already. */
export async function gatherWayBack(
  database: Database,
  endpoints: EndpointManager,
  deploymentId: string,
  options: CallOptions,
): Promise<WayBack> {
  const stored = await database.rollbackFacts.read(deploymentId);
  return stored === null ? nothingKnown : seen(stored, endpoints, options);
}

async function seen(
  stored: StoredRollbackFacts,
  endpoints: EndpointManager,
  options: CallOptions,
): Promise<WayBack> {
  const { previous, endpoint: known } = stored;
  const [endpoint, previous_is_ready] = await Promise.all([
    known === null ? null : endpoints.withLivingMirror(known, options),
    previous === null ? false : endpoints.isReady(previous.deployment_id, previous.bento_tag, options),
  ]);
  return { ...stored, endpoint, previous_is_ready };
}

const nothingKnown: WayBack = {
  current: null,
  current_version: null,
  endpoint: null,
  previous: null,
  previous_version: null,
  previous_is_ready: false,
  open_rollout: null,
  completed_rollout: null,
};
