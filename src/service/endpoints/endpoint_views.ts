import type { Endpoint } from "../../agents/model_deployer/domain/entities.ts";
import { countsOf } from "../../agents/model_deployer/judge/verdict.ts";
import { isRolloutOpen, type Rollout } from "../../agents/model_deployer/domain/traffic/rollout.ts";
import { NotFoundError } from "../../agents/model_deployer/errors.ts";
import type { DeployerDatabase } from "../../database/index.ts";
import type { EndpointSummary } from "../../database/repositories/reading/endpoint_summaries.ts";
import type { OpenOperation } from "../../database/repositories/reading/overview.ts";
import type { z } from "zod";
import type { EndpointView, looksReportSchema, Vitals, weightsReportSchema } from "./endpoint_schemas.ts";
import { rolloutView } from "../status/gather_status.ts";
import { unknownEndpoint } from "../problems/unknown_name.ts";

export const NOT_LOOKED_AT: Vitals = {
  health: { state: "unknown", reasons: [] },
  figures: null,
  figures_by_deployment: {},
};

/** The endpoints of these names, or all. `vitalsOf` gives what was seen of one last. */
export async function endpointViews(
  { summaries, overview }: Pick<DeployerDatabase, "summaries" | "overview">,
  names: readonly string[] | null,
  vitalsOf: (endpointName: string) => Vitals,
): Promise<EndpointView[]> {
  const [found, operations] = await Promise.all([summaries.list(names), overview.openOperations()]);
  return found.map((summary) => viewOf(summary, operations, vitalsOf(summary.endpoint.endpoint_name)));
}

/** @throws NotFoundError with the nearest names */
export async function endpointView(
  database: DeployerDatabase,
  name: string,
  vitalsOf: (endpointName: string) => Vitals,
): Promise<EndpointView> {
  const [view] = await endpointViews(database, [name], vitalsOf);
  if (view === undefined) throw await unknownEndpoint(name, database);
  return view;
}

function viewOf(
  { endpoint, routed, rollout, last_change }: EndpointSummary,
  operations: OpenOperation[],
  vitals: Vitals,
): EndpointView {
  const { endpoint_name, endpoint_url, experiment_id, generation, observed_generation } = endpoint;
  const served = routed.map(({ deployment, version }) => ({
    deployment_id: deployment.deployment_id,
    bento_tag: deployment.bento_tag,
    model_version_id: version.model_version_id,
    model_name: version.model_name,
    version: version.version,
    stage: deployment.target_stage,
    status: deployment.status,
  }));
  const shown = new Set(shownIds(endpoint, rollout));
  return {
    endpoint_name,
    endpoint_url,
    experiment_id,
    stage: served[0]?.stage ?? null,
    generation,
    observed_generation,
    traffic: served
      .filter((one) => shown.has(one.deployment_id))
      .map((one) => ({
        ...one,
        weight: endpoint.weights[one.deployment_id] ?? 0,
        role: roleOf(one.deployment_id, rollout),
      })),
    mirror: served.find((one) => one.deployment_id === endpoint.mirror_deployment_id) ?? null,
    last_change,
    rollout: rollout === null ? null : rolloutView(rollout),
    operations: operations.filter((one) => one.lease_name === endpoint_name),
    ...vitals,
  };
}

function shownIds({ weights }: Endpoint, rollout: Rollout | null): string[] {
  const sides =
    rollout !== null && isRolloutOpen(rollout) ? [rollout.deployment_id, rollout.baseline_deployment_id] : [];
  const serving = Object.entries(weights).filter(([, weight]) => weight > 0);
  return [...serving.map(([id]) => id), ...sides];
}

function roleOf(id: string, rollout: Rollout | null): EndpointView["traffic"][number]["role"] {
  if (rollout === null || !isRolloutOpen(rollout)) return "serving";
  if (id === rollout.deployment_id) return "candidate";
  return id === rollout.baseline_deployment_id ? "baseline" : "serving";
}

/** @throws NotFoundError with the nearest names */
export async function weightsReport(
  database: DeployerDatabase,
  name: string,
  page: { since: string | null; limit: number },
): Promise<z.infer<typeof weightsReportSchema>> {
  const endpoint = await database.endpoints.get(name);
  if (endpoint === null) throw await unknownEndpoint(name, database);
  const [weights, versions] = await Promise.all([
    database.summaries.weights(name, page),
    database.modelVersions.list(endpoint.experiment_id),
  ]);
  return {
    endpoint_name: name,
    weights,
    versions: Object.fromEntries(
      versions.map((one) => [one.model_version_id, `${one.model_name} v${one.version}`]),
    ),
  };
}

/** @throws NotFoundError */
export async function looksReport(
  database: DeployerDatabase,
  rolloutId: string,
  page: { since: string | null; limit: number },
): Promise<z.infer<typeof looksReportSchema>> {
  const rollout = await database.rollouts.get(rolloutId);
  if (rollout === null)
    throw new NotFoundError(`Rollout ${rolloutId} does not exist; an endpoint names its own.`);
  const { rollout_id, endpoint_name, deployment_id, baseline_deployment_id, judge, judge_state } = rollout;
  return {
    rollout_id,
    endpoint_name,
    deployment_id,
    baseline_deployment_id,
    threshold: 1 / judge.alpha,
    alpha: judge.alpha,
    margin: judge.margin,
    rollout: rolloutView(rollout),
    candidate: countsOf(judge_state.candidate),
    baseline: countsOf(judge_state.baseline),
    looks: await database.summaries.looks(rolloutId, page),
  };
}
