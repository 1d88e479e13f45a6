import { AgentError } from "../../base/agent_error.ts";
import { decideDeploy } from "../domain/decide_deploy.ts";
import { endpointName } from "../domain/names.ts";
import type { DeployFacts } from "../domain/planned_traffic.ts";
import type { DeployRequest } from "../domain/requests.ts";
import type { VersionFigures } from "../domain/rollout.ts";
import type { EndpointManager } from "../endpoint_manager.ts";
import type { Planner } from "../operation_runner.ts";
import type { Parts, Settings } from "../parts.ts";
import type { CallOptions } from "../ports.ts";
import { plannerFor } from "./planner.ts";

/** Serves a version at its stage: staging, a mirrored shadow, or production in steps. */
export function deployPlanner(parts: Parts, endpoints: EndpointManager, settings: Settings): Planner {
  return plannerFor("deploy", async (request, context, options) =>
    decideDeploy(request, await gatherDeploy(parts, endpoints, settings, request, options), context),
  );
}

export async function gatherDeploy(
  { database }: Parts,
  endpoints: EndpointManager,
  settings: Settings,
  request: Pick<DeployRequest, "model_version_id" | "target_stage">,
  options: CallOptions,
): Promise<DeployFacts> {
  const version = await database.modelVersions.get(request.model_version_id);
  const name = version === null ? "" : endpointName(version.experiment_id, request.target_stage);
  const [known, deployments, open_rollout, policy] = await Promise.all([
    database.endpoints.get(name),
    database.deployments.listForEndpoint(name),
    database.rollouts.getOpen(name),
    database.experiments.getGatePolicy(version?.experiment_id ?? ""),
  ]);
  const endpoint = known === null ? null : await endpoints.withLivingMirror(known, options);
  const serves = endpoint !== null && Object.keys(endpoint.weights).length > 0;
  const figures = serves ? await figuresOf(endpoints, name, options) : [];
  return {
    version,
    endpoint,
    deployments,
    open_rollout,
    figures,
    policy,
    retention_seconds: settings.retention_seconds,
  };
}

/** Where a rollout's judge begins to count; without figures it counts from the counters' own beginning. */
async function figuresOf(
  endpoints: EndpointManager,
  name: string,
  options: CallOptions,
): Promise<VersionFigures[]> {
  try {
    return await endpoints.figures(name, options);
  } catch (error) {
    if (error instanceof AgentError) return [];
    throw error;
  }
}
