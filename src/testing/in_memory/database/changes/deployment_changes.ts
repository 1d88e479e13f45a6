import type { ChangeOf } from "../../../../agents/model_deployer/domain/changes.ts";
import {
  type DeploymentStatus,
  STOPPABLE_STATUSES,
} from "../../../../agents/model_deployer/domain/entities.ts";
import { ConflictError, NotFoundError } from "../../../../agents/model_deployer/errors.ts";
import { instantOf, microsOf } from "../../../clock.ts";
import { check } from "../table.ts";
import type { DeploymentRow, EndpointRow, Tables } from "../tables.ts";
import type { ChangeContext } from "./context.ts";

/** `agent_name_enum` of the migrations. */
const AGENTS = [
  "model_trainer",
  "feature_analyzer",
  "model_deployer",
  "prediction_synthesizer",
  "observability_connector",
];

export function insertDeployment(
  { deployment }: ChangeOf<"insert_deployment">,
  { tables }: ChangeContext,
): void {
  check(AGENTS.includes(deployment.deployed_by), "agent_name_enum");
  check(deployment.replicas >= 1, "ml_deployments_replicas_check");
  const endpoint = tables.endpoints.get(deployment.endpoint_name);
  const wanted = endpoint?.weights[deployment.deployment_id] ?? 0;
  if (deployment.traffic_percentage !== wanted) {
    throw new ConflictError(
      `Postgres refused the change: ${deployment.deployment_id}: traffic_percentage ${deployment.traffic_percentage} but its endpoint gives it ${wanted}`,
    );
  }
  tables.versions.require(deployment.model_version_id);
  tables.experiments.require(deployment.experiment_id);
  tables.operations.require(deployment.operation_id);
  if (deployment.previous_deployment_id !== null) {
    tables.deployments.require(deployment.previous_deployment_id);
  }
  const endpoint_url = deployment.endpoint_url ?? endpoint?.endpoint_url ?? null;
  tables.deployments.insert({ ...deployment, endpoint_url, stopping_until: null });
}

export function setDeploymentStatus(
  change: ChangeOf<"set_deployment_status">,
  { tables }: ChangeContext,
): void {
  const found = tables.deployments.get(change.deployment_id);
  if (found === null) throw new NotFoundError(`Deployment ${change.deployment_id} does not exist`);
  if (change.unless_rolled_back === true && found.status === "rolled_back") return;
  if (!change.from.includes(found.status)) throw lostStatus(found, change.from);
  if (change.to === "active" && isStopping(tables, found)) throw beingStopped(found.deployment_id);
  const changed = change.to === "active" ? activated(found, tables) : found;
  tables.deployments.put({
    ...changed,
    status: change.to,
    rollback_reason: change.rollback_reason ?? found.rollback_reason,
    rolled_back_at:
      change.to === "rolled_back" && found.status !== "rolled_back"
        ? tables.clock.now()
        : found.rolled_back_at,
    drain_due_at: drainDueAt(change, found, tables),
  });
}

function drainDueAt(
  { to, keep_warm_seconds: warm }: ChangeOf<"set_deployment_status">,
  found: DeploymentRow,
  { clock }: Tables,
): string | null {
  if (to === "active") return null;
  return warm === null ? found.drain_due_at : clock.after(warm);
}

/** The first activation is the one that counts, but a shadow that comes back begins its hours anew. */
function activated(found: DeploymentRow, { clock }: Tables): DeploymentRow {
  const begins =
    found.status !== "active" && (found.activated_at === null || found.target_stage === "shadow");
  return {
    ...found,
    activated_at: begins ? clock.now() : found.activated_at,
    drained_at: null,
  };
}

/** The first time counts. */
export function dateDeployment(change: ChangeOf<"date_deployment">, { deployments }: Tables): void {
  const found = deployments.get(change.deployment_id);
  if (found === null) throw new NotFoundError(`Deployment ${change.deployment_id} does not exist`);
  if (found.deployment_duration_seconds !== null) return;
  const seconds = Math.round(change.deployment_duration_seconds * 100) / 100;
  const deployed_at = instantOf(microsOf(change.deployed_at));
  deployments.put({ ...found, deployed_at, deployment_duration_seconds: seconds });
}

/** The first time counts. */
export function markDrained({ deployment_id: id }: ChangeOf<"mark_drained">, tables: Tables): void {
  const found = tables.deployments.get(id);
  if (found === null) throw new NotFoundError(`Deployment ${id} does not exist`);
  if (!STOPPABLE_STATUSES.includes(found.status)) throw lostStatus(found, STOPPABLE_STATUSES);
  tables.deployments.put({
    ...found,
    drained_at: found.drained_at ?? tables.clock.now(),
    stopping_until: null,
  });
}

export function isStopping({ clock }: Tables, { stopping_until: until }: DeploymentRow): boolean {
  return until !== null && !clock.hasPassed(until);
}

/** Whether the endpoint's route gives the deployment traffic, mirrored or not. */
export function isRouted(deploymentId: string, endpoint: EndpointRow | null): boolean {
  if (endpoint === null) return false;
  return (endpoint.weights[deploymentId] ?? 0) > 0 || endpoint.mirror_deployment_id === deploymentId;
}

export function beingStopped(id: string): ConflictError {
  return new ConflictError(
    `The server of ${id} is being stopped; ask again in a moment, and it is started anew`,
    {
      details: { deployment_id: id },
    },
  );
}

function lostStatus(
  { deployment_id, status }: DeploymentRow,
  expected: readonly DeploymentStatus[],
): ConflictError {
  return new ConflictError(
    `Deployment ${deployment_id} was expected to be ${expected.join(" or ")} and is ${status}`,
    { details: { deployment_id, expected: { status: expected }, found: { status } } },
  );
}
