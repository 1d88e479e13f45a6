import { AgentError } from "../../base/agent_error.ts";
import { publishDegraded } from "../../base/diagnostics.ts";
import { RunMemory } from "../../base/memory.ts";
import { type Experience, recentRollbacks } from "../domain/caution.ts";
import { decideDeploy } from "../domain/decide_deploy.ts";
import type { Deployment } from "../domain/entities.ts";
import { endpointName, rolloutId } from "../domain/names.ts";
import type { DeployFacts } from "../domain/planned_traffic.ts";
import type { DecisionContext, DeployRequest } from "../domain/requests.ts";
import type { VersionFigures } from "../domain/rollout.ts";
import { isOver } from "../domain/warm_server.ts";
import type { EndpointManager } from "../endpoint_manager.ts";
import type { Planner } from "../operation_runner.ts";
import type { Parts, Settings } from "../parts.ts";
import type { CallOptions, ProceduralMemory } from "../ports.ts";
import { plannerFor } from "./planner.ts";

/** Serves a version at its stage: staging, a mirrored shadow, or production in steps. */
export function deployPlanner(parts: Parts, endpoints: EndpointManager, settings: Settings): Planner {
  return plannerFor("deploy", async (request, context, options) =>
    decideDeploy(request, await gatherDeploy(parts, endpoints, settings, request, context, options), context),
  );
}

export async function gatherDeploy(
  { database, proceduralMemory }: Pick<Parts, "database" | "proceduralMemory">,
  endpoints: EndpointManager,
  settings: Settings,
  request: Pick<DeployRequest, "model_version_id" | "target_stage">,
  { now }: DecisionContext,
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
  const isRollout = serves && request.target_stage === "production";
  const ended = deployments.filter((one) => isOver(one) && one.model_version_id === request.model_version_id);
  const [figures, aborted, experience, still_warm] = await Promise.all([
    serves ? figuresOf(endpoints, name, options) : [],
    abortedAmong(database, recentRollbacks(deployments, now)),
    isRollout && version !== null ? experienceOf(proceduralMemory, version.model_name, options) : null,
    warmAmong(endpoints, ended, options),
  ]);
  return {
    version,
    endpoint,
    deployments,
    aborted,
    still_warm,
    open_rollout,
    figures,
    policy,
    experience,
    retention_seconds: settings.retention_seconds,
  };
}

async function warmAmong(
  endpoints: EndpointManager,
  ended: Deployment[],
  options: CallOptions,
): Promise<string[]> {
  const ready = await Promise.all(
    ended.map(({ deployment_id, bento_tag }) => endpoints.isReady(deployment_id, bento_tag, options)),
  );
  return ended.flatMap(({ deployment_id }, index) => (ready[index] === true ? [deployment_id] : []));
}

async function abortedAmong(database: Parts["database"], deployments: Deployment[]): Promise<string[]> {
  const ids = deployments.map((one) => rolloutId(one.operation_id));
  const rollouts = await Promise.all(ids.map((id) => database.rollouts.get(id)));
  return rollouts.flatMap((one) => (one?.status === "aborted" ? [one.deployment_id] : []));
}

/** Where a rollout's judge begins to count; null when the router gives no answer. */
async function figuresOf(
  endpoints: EndpointManager,
  name: string,
  options: CallOptions,
): Promise<VersionFigures[] | null> {
  try {
    return await endpoints.figures(name, options);
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    publishDegraded({ part: "router", message: `the router gives no figures of ${name}: ${error.message}` });
    return null;
  }
}

/** Null when the memory gives no answer; the plan's notes say so. */
async function experienceOf(
  procedural: ProceduralMemory,
  modelName: string,
  { signal }: CallOptions,
): Promise<Experience | null> {
  const memory = new RunMemory({ procedural }, signal);
  const without = "does not say how often rollouts of the model went back";
  return memory.use("procedural_memory", without, async ({ procedural: remembered }, options) => {
    const [rollbacks, rollouts] = await Promise.all([
      remembered.experience(`rollback:${modelName}`, options),
      remembered.experience(`rollout:${modelName}`, options),
    ]);
    return { rollbacks: rollbacks.usage_count, completed_rollouts: rollouts.success_count };
  });
}
