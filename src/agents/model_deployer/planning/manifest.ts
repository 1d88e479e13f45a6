import type { DeploymentManifest } from "../domain/answer.ts";
import type { Deployment, Endpoint } from "../domain/entities.ts";
import type { Rollout } from "../domain/traffic/rollout.ts";

/** The fields of a manifest that do not depend on the deployment's traffic. */
export function manifestBasics(deployment: Deployment) {
  return {
    deployment_id: deployment.deployment_id,
    model_version_id: deployment.model_version_id,
    experiment_id: deployment.experiment_id,
    target_stage: deployment.target_stage,
    endpoint_name: deployment.endpoint_name,
    engine: deployment.engine,
    replicas: deployment.replicas,
    cpu_limit: deployment.cpu_limit,
    memory_limit: deployment.memory_limit,
    autoscaling: deployment.autoscaling,
    limits_enforced: null,
    limits_note: null,
    isolation: null,
    model_artifact_uri: deployment.model_artifact_uri,
    preprocessing_artifact_uri: deployment.preprocessing_artifact_uri,
    bento_tag: deployment.bento_tag,
    deployed_by: deployment.deployed_by,
  };
}

/** The manifest of a deployment that stands, with the traffic that its endpoint has. */
export function manifestOf(
  deployment: Deployment,
  endpoint: Pick<Endpoint, "endpoint_url" | "generation" | "weights" | "mirror_deployment_id">,
  rollout: Rollout | null,
): DeploymentManifest {
  return {
    ...manifestBasics(deployment),
    endpoint_url: endpoint.endpoint_url,
    deployed_at: deployment.deployed_at,
    deployment_duration_seconds: deployment.deployment_duration_seconds ?? 0,
    status: deployment.status,
    traffic: {
      generation: endpoint.generation,
      weights: Object.entries(endpoint.weights).map(([deployment_id, weight]) => ({ deployment_id, weight })),
      mirror_deployment_id: endpoint.mirror_deployment_id,
    },
    rollout: rollout === null ? null : rolloutSummary(rollout),
  };
}

function rolloutSummary(rollout: Rollout): DeploymentManifest["rollout"] {
  const { rollout_id, status, step_index, steps, next_tick_at } = rollout;
  return { rollout_id, status, step_index, steps, next_tick_at };
}
