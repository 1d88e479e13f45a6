import type { Change, ChangeOf } from "../../../agents/model_deployer/domain/changes.ts";
import type { Deployment, ModelVersion, Stage } from "../../../agents/model_deployer/domain/entities.ts";
import { planWith } from "../../../agents/model_deployer/planning/decisions.ts";
import { newJudgeState } from "../../../agents/model_deployer/judge/observe.ts";
import type { Plan } from "../../../agents/model_deployer/domain/plan.ts";
import type { Rollout } from "../../../agents/model_deployer/domain/traffic/rollout.ts";

export const experiment = {
  experiment_id: "exp",
  experiment_name: "Remission within a year",
  prediction_target: "remission",
  minimum_auc: 0.805,
  minimum_precision_at_k: null,
  maximum_fpr: null,
};

export const NOW = "2026-01-02T03:04:05.678901Z";

export function versionOf(number: number): ModelVersion {
  return {
    model_version_id: `mv_${number}`,
    experiment_id: "exp",
    model_name: "remission",
    version: number,
    mlflow_run_id: `run_${number}`,
    model_artifact_uri: `mlflow-artifacts:/1/run_${number}/model`,
    preprocessing_artifact_uri: null,
    artifact_digest: "a".repeat(64),
    preprocessing_digest: null,
    metrics: { test_auc: 0.9 },
    shap_evidence: { shap_analysis_id: null, top_features: ["age"], samples_analyzed: 10 },
    signature: {
      inputs: [{ name: "age", type: "double", required: true }],
      outputs: [{ name: null, type: "tensor of float64 [-1]", required: true }],
      params: [],
    },
    loading: {
      formats: ["pickle"],
      pickles: ["model/model.pkl"],
      modules: ["numpy", "sklearn"],
      reaching: [],
      by_value: [],
      trusted_types: [],
      unread: [],
      left_out: 0,
    },
    signed_by: [{ artifact: "model", kind: "key", name: "release", signer: "b".repeat(64), subject: null }],
    earlier_version_id: null,
    stage: "development",
    stage_revision: 0,
    registered_at: NOW,
    promoted_at: null,
  };
}

export function deploymentOf(
  operationId: string,
  id: string,
  version: number,
  overrides: Partial<Deployment> = {},
): Deployment {
  return {
    deployment_id: id,
    model_version_id: `mv_${version}`,
    experiment_id: "exp",
    operation_id: operationId,
    target_stage: "production",
    endpoint_name: "e2i_exp",
    engine: "local",
    endpoint_url: null,
    status: "pending",
    replicas: 1,
    cpu_limit: "2",
    memory_limit: "4Gi",
    autoscaling: { min: 1, max: 5, target_cpu: 70 },
    model_artifact_uri: "mlflow-artifacts:/1/run/model",
    preprocessing_artifact_uri: null,
    bento_tag: `e2i_remission:v${version}`,
    traffic_percentage: 0,
    previous_deployment_id: null,
    deployed_by: "model_deployer",
    deployed_at: NOW,
    activated_at: null,
    deployment_duration_seconds: null,
    drain_due_at: null,
    drained_at: null,
    rolled_back_at: null,
    rollback_reason: null,
    ...overrides,
  };
}

export function rolloutOf(id: string, overrides: Partial<Rollout> = {}): Rollout {
  return {
    rollout_id: id,
    endpoint_name: "e2i_exp",
    experiment_id: "exp",
    deployment_id: "d2",
    baseline_deployment_id: "d1",
    status: "running",
    steps: [{ weight: 10, bake_seconds: 60 }],
    step_index: 0,
    asked_steps: [{ weight: 100, bake_seconds: 0 }],
    step_started_at: NOW,
    next_tick_at: NOW,
    inconclusive_looks: 0,
    judge: {
      alpha: 0.05,
      minimum_samples: 10,
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
    judge_state: newJudgeState([]),
    verdict: null,
    watched_until: null,
    pause: null,
    ...overrides,
  };
}

export function planOf(intent: Change[] = [], overrides: Partial<Plan> = {}): Plan {
  return planWith({ summary: "A plan of a test.", lease_name: "e2i_exp", intent, ...overrides });
}

export function move(version: number, from: Stage, to: Stage, revision: number): ChangeOf<"set_stage"> {
  return {
    change: "set_stage",
    model_version_id: `mv_${version}`,
    from,
    to,
    expected_revision: revision,
    kind: to === "archived" ? "supersession" : "promotion",
    reason: "because",
    changed_by: "mover",
    metrics: { test_auc: 0.9 },
    evidence: { policy_id: "standard" },
  };
}

export function want(
  generation: number,
  weights: Record<string, number>,
  mirror: string | null = null,
): ChangeOf<"want_route"> {
  return {
    change: "want_route",
    endpoint_name: "e2i_exp",
    expected_generation: generation,
    weights,
    mirror_deployment_id: mirror,
    reason: `weights of generation ${generation + 1}`,
  };
}

export function observe(generation: number): ChangeOf<"observe_route"> {
  return { change: "observe_route", endpoint_name: "e2i_exp", generation };
}

export function setStatus(
  id: string,
  from: Deployment["status"],
  to: Deployment["status"],
  keepWarmSeconds: number | null = null,
): ChangeOf<"set_deployment_status"> {
  return {
    change: "set_deployment_status",
    deployment_id: id,
    from: [from],
    to,
    rollback_reason: null,
    keep_warm_seconds: keepWarmSeconds,
  };
}
