import { ModelDeployerAgent } from "../../../src/agents/model_deployer/agent.ts";
import type { DeploymentManifest } from "../../../src/agents/model_deployer/domain/answer.ts";
import { ServiceUnavailableError } from "../../../src/agents/model_deployer/errors.ts";
import { createModelDeployerGraph } from "../../../src/agents/model_deployer/graph.ts";

export function aManifest(overrides: Partial<DeploymentManifest> = {}): DeploymentManifest {
  return {
    deployment_id: "dep_1",
    model_version_id: "mv_1",
    experiment_id: "remission",
    target_stage: "staging",
    endpoint_name: "e2i_remission_staging",
    engine: "local",
    endpoint_url: "http://127.0.0.1:9",
    replicas: 1,
    cpu_limit: "2",
    memory_limit: "4Gi",
    autoscaling: { min: 1, max: 5, target_cpu: 70 },
    limits_enforced: null,
    limits_note: null,
    isolation: null,
    model_artifact_uri: "runs:/run1/model",
    preprocessing_artifact_uri: null,
    bento_tag: "e2i_remission:v1",
    deployed_by: "model_deployer",
    deployed_at: "2026-03-01T12:00:00.000Z",
    deployment_duration_seconds: 1.5,
    status: "active",
    traffic: {
      generation: 1,
      weights: [{ deployment_id: "dep_1", weight: 100 }],
      mirror_deployment_id: null,
    },
    rollout: null,
    ...overrides,
  };
}

/** A deployer whose database does not answer; what it is asked is validated all the same. */
export function unreachableDeployer(): ModelDeployerAgent {
  const graph = createModelDeployerGraph(() =>
    Promise.reject(new ServiceUnavailableError("postgres", "Postgres does not answer.")),
  );
  return new ModelDeployerAgent(graph);
}

export const predictionRequest = { entity_id: "patient_7", features: { age: 61, remib: 0.4 } };

export const endpointAnswer = {
  prediction: 1,
  probabilities: [0.2, 0.8],
  confidence: 0.8,
  model_type: "sklearn",
  model_version: "1",
  features_used: ["age", "remib"],
};
