import type {
  Deployment,
  Endpoint,
  Experiment,
  ModelVersion,
  ShadowEvidence,
} from "../../../src/agents/model_deployer/domain/entities.ts";
import {
  type GatePolicy,
  STANDARD_GATE_POLICY,
} from "../../../src/agents/model_deployer/domain/models/gate_policy.ts";
import { newJudgeState } from "../../../src/agents/model_deployer/judge/observe.ts";
import type { DeployFacts } from "../../../src/agents/model_deployer/actions/deploy/facts.ts";
import { LOCAL_ENGINE } from "../../../src/agents/model_deployer/domain/servers/engines.ts";
import type { DecisionContext } from "../../../src/agents/model_deployer/domain/requests.ts";
import type { Rollout } from "../../../src/agents/model_deployer/domain/traffic/rollout.ts";
import type { VersionFigures } from "../../../src/agents/model_deployer/domain/evidence/figures.ts";

/** Facts for pure decisions: whole and valid, with what a test cares about laid over them. */

export const NOW = "2026-03-01T12:00:00.000Z";
export const ENDPOINT = "e2i_remission";

export const context: DecisionContext = {
  operation_id: "op_new",
  requested_by: "ana",
  is_known: true,
  now: NOW,
};

export function anExperiment(overrides: Partial<Experiment> = {}): Experiment {
  return {
    experiment_id: "remission",
    experiment_name: "Remission within a year",
    prediction_target: "remission",
    minimum_auc: 0.8,
    minimum_precision_at_k: 0.5,
    maximum_fpr: 0.1,
    ...overrides,
  };
}

/** Nobody brought entries of known vulnerabilities. */
export const NO_ENTRIES = { known: "unset", why: "nobody brought any" } as const;

export function aPolicy(overrides: Partial<GatePolicy> = {}): GatePolicy {
  return { ...STANDARD_GATE_POLICY, reason: "the standard policy", ...overrides };
}

export function aVersion(number: number, overrides: Partial<ModelVersion> = {}): ModelVersion {
  return {
    model_version_id: `mv_${number}`,
    experiment_id: "remission",
    model_name: "e2i_remission",
    version: number,
    mlflow_run_id: `run${number}`,
    model_artifact_uri: `runs:/run${number}/model`,
    preprocessing_artifact_uri: null,
    artifact_digest: `digest${number}`,
    preprocessing_digest: null,
    metrics: { test_auc: 0.9, test_precision_at_k: 0.6, test_fpr: 0.05 },
    shap_evidence: null,
    signature: null,
    loading: null,
    signed_by: null,
    earlier_version_id: null,
    stage: "production",
    stage_revision: 3,
    registered_at: NOW,
    promoted_at: null,
    ...overrides,
  };
}

export function aDeployment(number: number, overrides: Partial<Deployment> = {}): Deployment {
  return {
    deployment_id: `d${number}`,
    model_version_id: `mv_${number}`,
    experiment_id: "remission",
    operation_id: `op_${number}`,
    target_stage: "production",
    endpoint_name: ENDPOINT,
    engine: "local",
    endpoint_url: "http://127.0.0.1:20000",
    status: "active",
    replicas: 1,
    cpu_limit: "2",
    memory_limit: "4Gi",
    autoscaling: { min: 1, max: 5, target_cpu: 70 },
    model_artifact_uri: `runs:/run${number}/model`,
    preprocessing_artifact_uri: null,
    bento_tag: `e2i_remission:v${number}`,
    traffic_percentage: 0,
    previous_deployment_id: null,
    deployed_by: "model_deployer",
    deployed_at: NOW,
    activated_at: NOW,
    deployment_duration_seconds: 1,
    drain_due_at: null,
    drained_at: null,
    rolled_back_at: null,
    rollback_reason: null,
    ...overrides,
  };
}

export function anEndpoint(overrides: Partial<Endpoint> = {}): Endpoint {
  return {
    endpoint_name: ENDPOINT,
    experiment_id: "remission",
    engine: "local",
    endpoint_url: "http://127.0.0.1:20000",
    generation: 7,
    weights: { d1: 100 },
    mirror_deployment_id: null,
    observed_generation: 7,
    observed_at: NOW,
    ...overrides,
  };
}

/** Version 2 is to be deployed where version 1 serves, and nothing has gone wrong yet. */
export function deployFacts(overrides: Partial<DeployFacts> = {}): DeployFacts {
  return {
    version: aVersion(2),
    endpoint: anEndpoint(),
    deployments: [aDeployment(1)],
    aborted: [],
    still_warm: [],
    staged: null,
    open_rollout: null,
    figures: [],
    policy: aPolicy(),
    experience: { rollbacks: 0, completed_rollouts: 0 },
    serves_now: null,
    retention_seconds: 3600,
    ended: { ways: null, last_rollout: null },
    metrics_problem: null,
    other_python: null,
    engines: LOCAL_ENGINE,
    is_guarded: false,
    vulnerabilities: NO_ENTRIES,
    ...overrides,
  };
}

export function someEvidence(overrides: Partial<ShadowEvidence> = {}): ShadowEvidence {
  return {
    deployment_id: "d2",
    hours: 24,
    requests: 1000,
    errors: 10,
    production_errors: 10,
    p99_ms: 150,
    collected_at: NOW,
    comparison: null,
    outcomes: null,
    ...overrides,
  };
}

export function figuresOf(
  deploymentId: string,
  [errors, requests]: readonly [number, number],
  epoch = "1",
): VersionFigures {
  return { deployment_id: deploymentId, epoch, requests, errors, p50_ms: 1, p99_ms: 2 };
}

/** Version 2 (d2) at its first step over version 1 (d1), whose route has been seen in force. */
export function aRollout(overrides: Partial<Rollout> = {}): Rollout {
  return {
    rollout_id: "rollout_2",
    endpoint_name: ENDPOINT,
    experiment_id: "remission",
    deployment_id: "d2",
    baseline_deployment_id: "d1",
    status: "running",
    steps: [
      { weight: 10, bake_seconds: 60 },
      { weight: 50, bake_seconds: 60 },
      { weight: 100, bake_seconds: 0 },
    ],
    step_index: 0,
    asked_steps: null,
    step_started_at: NOW,
    next_tick_at: NOW,
    inconclusive_looks: 0,
    judge: {
      alpha: 0.01,
      minimum_samples: 50,
      effect_floor: 0.01,
      margin: 0.02,
      maximum_inconclusive_looks: 3,
      when_inconclusive: "roll_back",
      maximum_latency_ratio: 2,
      latency_floor_ms: 10,
      outcomes: null,
      predictions: null,
      metrics: {},
    },
    judge_state: { ...newJudgeState([]), generation: 7 },
    verdict: null,
    watched_until: null,
    pause: null,
    ...overrides,
  };
}

export function later(seconds: number): string {
  return new Date(Date.parse(NOW) + seconds * 1000).toISOString();
}
