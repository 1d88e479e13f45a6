import { decideRemoval } from "./decide.ts";
import { type RemovalFacts } from "./facts.ts";
import type { RemovalRequest } from "../../domain/requests.ts";
import { serving } from "../../domain/traffic/weights.ts";
import type { EndpointManager } from "../../effects/endpoint_manager.ts";
import { type Planner, plannerFor } from "../planner.ts";
import type { Database, Parts } from "../../ports/parts.ts";
import type { CallOptions } from "../../ports/call_options.ts";

export function removalPlanner({ database }: Parts, endpoints: EndpointManager): Planner {
  return plannerFor("remove", async (request, context, options) =>
    decideRemoval(request, await gather(database, endpoints, request, options), context),
  );
}

async function gather(
  database: Database,
  endpoints: EndpointManager,
  { deployment_id: id }: RemovalRequest,
  options: CallOptions,
): Promise<RemovalFacts> {
  const deployment = await database.deployments.get(id);
  const name = deployment?.endpoint_name ?? "";
  const [endpoint, open_rollout] = await Promise.all([
    database.endpoints.get(name),
    database.rollouts.getOpen(name),
  ]);
  const mirror = endpoint?.mirror_deployment_id ?? null;
  const asksForMirror = endpoint !== null && mirror !== null && mirror !== id;
  const living = asksForMirror ? await endpoints.servers.withLivingMirror(endpoint, options) : null;
  const facts = await Promise.all(
    serving(endpoint?.weights ?? {}).map((one) => database.rollbackFacts.read(one)),
  );
  const ways_back = facts.flatMap((one) =>
    one === null || one.previous === null ? [] : [one.previous.deployment_id],
  );
  return {
    deployment,
    endpoint,
    other_mirror: living?.mirror_deployment_id ?? null,
    open_rollout,
    serving: facts.flatMap((one) => one?.current ?? []),
    ways_back,
  };
}
