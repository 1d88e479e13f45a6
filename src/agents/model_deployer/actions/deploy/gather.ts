import { AgentError } from "../../../base/agent_error.ts";
import { publishDegraded } from "../../../base/diagnostics.ts";
import { RunMemory } from "../../../base/memory.ts";
import { type Experience, recentRollbacks } from "./caution.ts";
import { gatherStaged } from "./gather_staged.ts";
import { gatherVulnerabilities } from "./gather_vulnerabilities.ts";
import { gatherEnded } from "../rollback/gather_ended.ts";
import { decideDeploy } from "./decide.ts";
import type { Deployment, ModelVersion } from "../../domain/entities.ts";
import { bentoTag, endpointName, rolloutId } from "../../domain/values/names.ts";
import { engineFor, engineOf } from "../../domain/servers/engines.ts";
import type { DeployFacts, WarmServer } from "./facts.ts";
import type { DecisionContext, DeployRequest } from "../../domain/requests.ts";
import { planRollout } from "../../domain/traffic/rollout_plan.ts";
import { metricsProblem } from "../../collection/check_metrics.ts";
import { serving } from "../../domain/traffic/weights.ts";
import type { VersionFigures } from "../../domain/evidence/figures.ts";
import { isOver } from "./warm_server.ts";
import type { EndpointManager } from "../../effects/endpoint_manager.ts";
import { type Planner, plannerFor } from "../planner.ts";
import type { Parts, Settings } from "../../ports/parts.ts";
import type { CallOptions } from "../../ports/call_options.ts";
import { isBehind } from "../../ports/model_server_port.ts";
import type { ProceduralMemory } from "../../ports/memory_ports.ts";

/** Serves a version at its stage: staging, a mirrored shadow, or production in steps. */
export function deployPlanner(parts: Parts, endpoints: EndpointManager, settings: Settings): Planner {
  return plannerFor("deploy", async (request, context, options) =>
    decideDeploy(request, await gatherDeploy(parts, endpoints, settings, request, context, options), context),
  );
}

type DeployParts = Pick<
  Parts,
  "database" | "predictionLogs" | "proceduralMemory" | "packager" | "teamMetrics" | "vulnerabilities"
>;

export async function gatherDeploy(
  parts: DeployParts,
  endpoints: EndpointManager,
  settings: Settings,
  request: Pick<DeployRequest, "model_version_id" | "target_stage"> & Partial<Pick<DeployRequest, "rollout">>,
  { now }: DecisionContext,
  options: CallOptions,
): Promise<DeployFacts> {
  const { database } = parts;
  const version = await database.modelVersions.get(request.model_version_id);
  const before = await endpointBefore(parts, endpoints, version, request, options);
  const { name, endpoint, deployments, policy } = before;
  const serves = endpoint !== null && Object.keys(endpoint.weights).length > 0;
  const isRollout = serves && request.target_stage === "production";
  const { metrics } = planRollout(request.rollout ?? "linear", policy.judge).judge;
  const side = { deployment: "", endpoint: name, version: request.model_version_id };
  const [ended, serves_now, figures, aborted, experience, still_warm, metrics_problem, packaged] =
    await Promise.all([
      gatherEnded(database, version),
      version === null ? null : versionThatServes(database, version.experiment_id),
      serves ? figuresOf(endpoints, name, options) : [],
      abortedAmong(database, recentRollbacks(deployments, now)),
      isRollout && version !== null
        ? experienceOf(parts.proceduralMemory, version.model_name, options)
        : null,
      warmAmong(endpoints, usableAmong(before, request, settings), options),
      isRollout ? metricsProblem(parts.teamMetrics ?? null, metrics, side, options) : null,
      version === null ? null : parts.packager.findPackage(bentoTag(version)),
    ]);
  return {
    ...{ version, endpoint, deployments, aborted, still_warm },
    ...{ staged: before.staged, open_rollout: before.open_rollout },
    ...{ figures, policy, experience, serves_now, ended, metrics_problem },
    retention_seconds: settings.retention_seconds,
    other_python: packaged?.other_python ?? null,
    engines: settings.engines,
    is_guarded: version !== null && before.isNew && (await isGuarded(database, name)),
    vulnerabilities: await gatherVulnerabilities(parts, version, options),
  };
}

interface EndpointBefore extends Pick<
  DeployFacts,
  "endpoint" | "deployments" | "open_rollout" | "policy" | "staged"
> {
  name: string;
  /** Nothing was ever deployed there. */
  isNew: boolean;
}

/** The endpoint as it is before the deployment, with what may be done there. */
async function endpointBefore(
  parts: DeployParts,
  endpoints: EndpointManager,
  version: ModelVersion | null,
  request: Pick<DeployRequest, "target_stage">,
  options: CallOptions,
): Promise<EndpointBefore> {
  const { database } = parts;
  const name = version === null ? "" : endpointName(version.experiment_id, request.target_stage);
  const [known, deployments, open_rollout, policy, staged] = await Promise.all([
    database.endpoints.get(name),
    database.deployments.listForEndpoint(name),
    database.rollouts.getOpen(name),
    database.experiments.getGatePolicy(version?.experiment_id ?? ""),
    gatherStaged(parts, endpoints, request, version, options),
  ]);
  const endpoint = known === null ? null : await endpoints.servers.withLivingMirror(known, options);
  return { name, endpoint, isNew: known === null, deployments, open_rollout, policy, staged };
}

async function isGuarded({ ingressPolicies }: Parts["database"], name: string): Promise<boolean> {
  const policy = await ingressPolicies.wanted(name);
  return policy !== null && policy.revision > 0;
}

/** Of several that share the traffic the one with the most. */
async function versionThatServes(
  { endpoints, deployments, modelVersions }: Parts["database"],
  experimentId: string,
): Promise<ModelVersion | null> {
  const endpoint = await endpoints.get(endpointName(experimentId, "production"));
  const [first] = serving(endpoint?.weights ?? {});
  const deployment = first === undefined ? null : await deployments.get(first);
  return deployment === null ? null : modelVersions.get(deployment.model_version_id);
}

/** Deployments of the version that are over, its shadow, and that at staging, on the engine that the new one is made on. */
function usableAmong(
  {
    deployments,
    policy,
    endpoint,
    staged,
  }: Pick<DeployFacts, "deployments" | "policy" | "endpoint" | "staged">,
  { model_version_id, target_stage }: Pick<DeployRequest, "model_version_id" | "target_stage">,
  { engines }: Pick<Settings, "engines">,
): Deployment[] {
  const engine = engineFor(target_stage, policy, engines);
  const here = deployments.filter(
    (one) =>
      one.model_version_id === model_version_id &&
      (isOver(one) || one.deployment_id === endpoint?.mirror_deployment_id),
  );
  const own = staged === null ? here : [...here, staged.deployment];
  return own.filter((one) => engineOf(one, engines) === engine);
}

async function warmAmong(
  endpoints: EndpointManager,
  usable: Deployment[],
  options: CallOptions,
): Promise<WarmServer[]> {
  const warm = usable.map(async ({ deployment_id: id, bento_tag }): Promise<WarmServer[]> => {
    const seen = await endpoints.servers.readyServers(id, bento_tag, { ...options, compares_settings: true });
    if (seen === null) return [];
    const is_outdated = seen.outdated === true;
    return [{ id, is_behind: isBehind(seen), is_counted: seen.replicas !== undefined, is_outdated }];
  });
  return (await Promise.all(warm)).flat();
}

async function abortedAmong(database: Parts["database"], deployments: Deployment[]): Promise<string[]> {
  const ids = deployments.map((one) => rolloutId(one.operation_id));
  const rollouts = await Promise.all(ids.map((id) => database.rollouts.get(id)));
  return rollouts.flatMap((one) => (one?.status === "aborted" ? [one.deployment_id] : []));
}

/** The counters from which a rollout's judge begins to count; null when the router gives no answer. */
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
