import type { ChangeOf } from "../../../../agents/model_deployer/domain/changes.ts";
import type { Metrics, WeightSet } from "../../../../agents/model_deployer/domain/entities.ts";
import { sumOf } from "../../../../agents/model_deployer/domain/weights.ts";
import {
  ConflictError,
  InvalidRequestError,
  NotFoundError,
} from "../../../../agents/model_deployer/errors.ts";
import { check, jsonObject } from "../table.ts";
import type { EndpointRow, Tables } from "../tables.ts";
import type { ChangeContext } from "./context.ts";
import { beingStopped, isRouted, isStopping } from "./deployment_changes.ts";

/** Deployments of the endpoint that wait for its URL get it. */
export function openEndpoint(change: ChangeOf<"open_endpoint">, { tables }: ChangeContext): void {
  const { endpoint_name, experiment_id, endpoint_url } = change;
  const found = tables.endpoints.get(endpoint_name);
  if (found === null) {
    tables.experiments.require(experiment_id);
    tables.endpoints.insert(newEndpoint(change));
  } else if (found.experiment_id !== experiment_id || found.endpoint_url !== endpoint_url) {
    const present = { experiment_id: found.experiment_id, endpoint_url: found.endpoint_url };
    throw new ConflictError(
      `Endpoint ${endpoint_name} is open for ${found.experiment_id} at ${found.endpoint_url}; it keeps both for its life`,
      {
        retryable: false,
        details: { endpoint_name, expected: { experiment_id, endpoint_url }, found: present },
      },
    );
  }
  const waiting = tables.deployments.where(
    (row) => row.endpoint_name === endpoint_name && row.endpoint_url === null,
  );
  for (const row of waiting) tables.deployments.put({ ...row, endpoint_url });
}

function newEndpoint({ endpoint_name, experiment_id, endpoint_url }: ChangeOf<"open_endpoint">): EndpointRow {
  return {
    endpoint_name,
    experiment_id,
    endpoint_url,
    generation: 0,
    weights: {},
    mirror_deployment_id: null,
    observed_generation: 0,
    observed_at: null,
    wanted_at: "",
    wanted_by: "",
    wanted_reason: "",
    wanted_operation_id: null,
    wanted_metrics: {},
    wanted_evidence: {},
  };
}

export function wantRoute(change: ChangeOf<"want_route">, context: ChangeContext): void {
  const { tables } = context;
  const { endpoint_name: name, weights, mirror_deployment_id: mirror } = change;
  const found = requireGeneration(tables, name, change.expected_generation);
  refuseImpossible(tables, change);
  const wanted: EndpointRow = {
    ...found,
    generation: found.generation + 1,
    weights,
    mirror_deployment_id: mirror,
    wanted_at: tables.clock.now(),
    wanted_by: context.requested_by,
    wanted_reason: change.reason,
    wanted_operation_id: context.operation_id,
    wanted_metrics: change.metrics ?? {},
    wanted_evidence: jsonObject(change.evidence ?? {}),
  };
  tables.endpoints.put(wanted);
  const stopping: string[] = [];
  for (const row of tables.deployments.where((one) => one.endpoint_name === name)) {
    tables.deployments.put({ ...row, traffic_percentage: weights[row.deployment_id] ?? 0 });
    if (isStopping(tables, row) && isRouted(row.deployment_id, wanted)) stopping.push(row.deployment_id);
  }
  if (stopping.length > 0) throw beingStopped(stopping.join(", "));
}

function refuseImpossible(
  { deployments }: Tables,
  { endpoint_name, weights, mirror_deployment_id: mirror }: ChangeOf<"want_route">,
): void {
  check(isValid(weights), "ml_endpoints_weights_sum_to_100");
  check(mirror === null || (weights[mirror] ?? 0) === 0, "ml_endpoints_mirror_not_weighted");
  const isHere = (id: string) => deployments.get(id)?.endpoint_name === endpoint_name;
  if (mirror !== null && !isHere(mirror)) {
    throw new NotFoundError(
      `A row that is named does not exist: ${endpoint_name} has no deployment ${mirror}`,
    );
  }
  const stranger = Object.keys(weights).find((id) => !isHere(id));
  if (stranger !== undefined) {
    throw new InvalidRequestError(`${stranger} is no deployment of endpoint ${endpoint_name}`);
  }
}

function isValid(weights: WeightSet): boolean {
  const shares = Object.values(weights);
  const isShare = (share: number) => Number.isInteger(share) && share >= 0 && share <= 100;
  return shares.length === 0 || (shares.every(isShare) && sumOf(weights) === 100);
}

/** Writes the traffic's history. A generation that was observed before is no change. */
export function observeRoute(change: ChangeOf<"observe_route">, { tables }: ChangeContext): void {
  const endpoint = requireGeneration(tables, change.endpoint_name, change.generation);
  if (endpoint.observed_generation === endpoint.generation) return;
  tables.endpoints.put({
    ...endpoint,
    observed_generation: endpoint.generation,
    observed_at: tables.clock.now(),
  });
  tables.trafficEvents.insert({
    kind: "traffic",
    occurred_at: tables.clock.now(),
    experiment_id: endpoint.experiment_id,
    model_version_id: null,
    from_stage: null,
    to_stage: null,
    endpoint_name: endpoint.endpoint_name,
    generation: endpoint.generation,
    weights: byVersion(tables, endpoint.weights),
    rollout_id: null,
    deployment_weights: endpoint.weights,
    changed_by: endpoint.wanted_by,
    reason: endpoint.wanted_reason,
    from_weights: null,
    metrics: endpoint.wanted_metrics,
    evidence: { ...endpoint.wanted_evidence, model_metrics: modelMetrics(tables, endpoint) },
  });
}

/** Of the versions that the route names. */
function modelMetrics({ deployments, versions }: Tables, endpoint: EndpointRow): Record<string, Metrics> {
  const ids = [...Object.keys(endpoint.weights), endpoint.mirror_deployment_id];
  const named = ids.flatMap((id) => (id === null ? [] : (deployments.get(id)?.model_version_id ?? [])));
  return Object.fromEntries(named.map((id) => [id, versions.get(id)?.metrics ?? {}]));
}

function byVersion({ deployments }: Tables, weights: WeightSet): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const [id, weight] of Object.entries(weights)) {
    const version = deployments.get(id)?.model_version_id;
    if (version !== undefined) sums[version] = (sums[version] ?? 0) + weight;
  }
  return sums;
}

function requireGeneration({ endpoints }: Tables, name: string, expected: number): EndpointRow {
  const found = endpoints.get(name);
  if (found === null) throw new NotFoundError(`Endpoint ${name} does not exist; it is not open yet`);
  const { generation, observed_generation } = found;
  if (generation === expected) return found;
  throw new ConflictError(
    `Endpoint ${name} was expected at generation ${expected} and is at ${generation}; read it and ask again`,
    {
      details: {
        endpoint_name: name,
        expected: { generation: expected },
        found: { generation, observed_generation },
      },
    },
  );
}
