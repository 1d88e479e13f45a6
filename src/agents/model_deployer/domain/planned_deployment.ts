import type { DeploymentManifest } from "./answer.ts";
import { planned } from "./decisions.ts";
import { type RouteSwitch, setStatus, switchRoute } from "./route_switch.ts";
import type { Deployment, ModelVersion } from "./entities.ts";
import type { Moment } from "./live_figures.ts";
import { manifestBasics } from "./manifest.ts";
import { bentoTag, deploymentId, endpointName, rolloutId } from "./names.ts";
import type { PlannedStep, StepOf } from "./plan.ts";
import type { DeployFacts, PlannedTraffic } from "./planned_traffic.ts";
import type { DecisionContext, DeployRequest } from "./requests.ts";

/** How often a running rollout is looked at. */
export const LOOK_SECONDS = 1;

/** How often a completed rollout is looked at until its retention period ends. */
export const WATCH_SECONDS = 5;

export function secondsAfter(instant: string, seconds: number): string {
  return new Date(Date.parse(instant) + seconds * 1000).toISOString();
}

/** A completed rollout is looked at for as long as what it replaced is kept warm. */
export function watchAfter(retentionSeconds: number, { now }: DecisionContext) {
  if (retentionSeconds === 0) return { next_tick_at: null, watched_until: null };
  return {
    next_tick_at: secondsAfter(now, WATCH_SECONDS),
    watched_until: secondsAfter(now, retentionSeconds),
  };
}

export function newDeployment(
  request: DeployRequest,
  version: ModelVersion,
  context: DecisionContext,
  previous: string | null,
): Deployment {
  return {
    deployment_id: deploymentId(context.operation_id),
    model_version_id: version.model_version_id,
    experiment_id: version.experiment_id,
    operation_id: context.operation_id,
    target_stage: request.target_stage,
    endpoint_name: endpointName(version.experiment_id, request.target_stage),
    endpoint_url: null,
    status: "pending",
    replicas: request.replicas,
    cpu_limit: request.cpu_limit,
    memory_limit: request.memory_limit,
    autoscaling: request.autoscaling,
    model_artifact_uri: version.model_artifact_uri,
    preprocessing_artifact_uri: version.preprocessing_artifact_uri,
    bento_tag: bentoTag(version),
    traffic_percentage: 0,
    previous_deployment_id: previous,
    deployed_by: "model_deployer",
    deployed_at: context.now,
    activated_at: null,
    deployment_duration_seconds: null,
    drain_due_at: null,
    drained_at: null,
    rolled_back_at: null,
    rollback_reason: null,
  };
}

export function deploymentSteps(
  version: ModelVersion,
  deployment: Deployment,
  before: RouteSwitch["before"],
  traffic: PlannedTraffic,
  moment: Moment,
  takesOver: string | null,
): PlannedStep[] {
  const { deployment_id: id, endpoint_name: name } = deployment;
  return [
    planned(
      { step: "open_endpoint", endpoint_name: name, experiment_id: version.experiment_id },
      { then: [setStatus(id, ["pending"], "deploying")] },
    ),
    planned(packageOf(version)),
    planned(startOf(deployment, takesOver), { undo: [{ step: "stop_server", deployment_id: id }] }),
    ...switchRoute({
      endpoint_name: name,
      before,
      weights: traffic.weights,
      mirror_deployment_id: traffic.mirror,
      reason: `deploy ${id}`,
      moment,
    }),
  ];
}

export function startOf(deployment: Deployment, takesOver: string | null = null): StepOf<"start_server"> {
  const { deployment_id, bento_tag, replicas, cpu_limit, memory_limit, autoscaling } = deployment;
  const resources = { replicas, cpu_limit, memory_limit, autoscaling };
  return { step: "start_server", deployment_id, bento_tag, resources, takes_over: takesOver };
}

/** For a server that had traffic, and whose process is gone. */
export function startAgainOf(deployment: Deployment): StepOf<"start_server"> {
  return { ...startOf(deployment), served_before: true };
}

/** For a server that has a process and does not answer. */
export function startBesideOf(deployment: Deployment): StepOf<"start_server"> {
  return { ...startAgainOf(deployment), beside: true };
}

export function packageOf(version: ModelVersion): StepOf<"package_model"> {
  return {
    step: "package_model",
    bento_tag: bentoTag(version),
    model_version_id: version.model_version_id,
    model_name: version.model_name,
    version: version.version,
    model_artifact_uri: version.model_artifact_uri,
    preprocessing_artifact_uri: version.preprocessing_artifact_uri,
    artifact_digest: version.artifact_digest,
    preprocessing_digest: version.preprocessing_digest,
  };
}

export function draftManifest(
  deployment: Deployment,
  traffic: PlannedTraffic,
  facts: DeployFacts,
  context: DecisionContext,
): DeploymentManifest {
  return {
    ...manifestBasics(deployment),
    endpoint_url: facts.endpoint?.endpoint_url ?? "",
    deployed_at: context.now,
    deployment_duration_seconds: 0,
    status: traffic.rollout === null ? "active" : "deploying",
    traffic: {
      generation: (facts.endpoint?.generation ?? 0) + 1,
      weights: Object.entries(traffic.weights).map(([deployment_id, weight]) => ({ deployment_id, weight })),
      mirror_deployment_id: traffic.mirror,
    },
    rollout: draftRollout(traffic, context),
  };
}

function draftRollout(traffic: PlannedTraffic, context: DecisionContext): DeploymentManifest["rollout"] {
  if (traffic.rollout === null) return null;
  return {
    rollout_id: rolloutId(context.operation_id),
    status: "running",
    step_index: 0,
    steps: traffic.rollout.steps,
    next_tick_at: secondsAfter(context.now, LOOK_SECONDS),
  };
}
