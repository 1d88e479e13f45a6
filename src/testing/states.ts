import type { ModelDeployerRequest } from "../agents/model_deployer/state/state.ts";

/** States as the pipeline hands them over, valid as they are; a test names only what it is about. */

export const EXPERIMENT = "remission";
export const ENDPOINT = "e2i_remission";

/** Ids of a session and one of its queries: together they make a request idempotent. */
export const pipelineIds = {
  session_id: "sess_0123456789abcdef",
  query_id: "qry_0123456789abcdef",
} as const satisfies Partial<ModelDeployerRequest>;

export function registerState(overrides: Partial<ModelDeployerRequest> = {}): ModelDeployerRequest {
  return {
    deployment_action: "register",
    experiment_id: EXPERIMENT,
    mlflow_run_id: "run1",
    ...overrides,
  };
}

/** From development to staging, unless told. */
export function promoteState(overrides: Partial<ModelDeployerRequest> = {}): ModelDeployerRequest {
  return {
    deployment_action: "promote",
    model_version_id: "mv_1",
    target_stage: "staging",
    promotion_reason: "it has proved itself",
    ...overrides,
  };
}

/** At staging, unless told. */
export function deployState(overrides: Partial<ModelDeployerRequest> = {}): ModelDeployerRequest {
  return { deployment_action: "deploy", model_version_id: "mv_1", target_stage: "staging", ...overrides };
}

export function rollbackState(overrides: Partial<ModelDeployerRequest> = {}): ModelDeployerRequest {
  return {
    deployment_action: "rollback",
    current_deployment_id: "deploy_1",
    rollback_reason: "predictions drift",
    ...overrides,
  };
}

/** The worker's own action. */
export function advanceState(overrides: Partial<ModelDeployerRequest> = {}): ModelDeployerRequest {
  return { deployment_action: "advance", rollout_id: "rollout_1", ...overrides };
}

/** The fields that feature_analyzer adds when SHAP ran; its further fields are passed along unread. */
export function afterFeatureAnalyzer(features: readonly string[] = ["age", "dose", "weight"]) {
  return {
    shap_analysis: {
      experiment_id: EXPERIMENT,
      model_version: "1",
      shap_analysis_id: "shap_1",
      feature_importance: features.map((feature, index) => ({
        feature,
        importance: 1 / (index + 1),
        rank: index + 1,
      })),
      interactions: [],
      samples_analyzed: 1000,
      computation_time_seconds: 2.5,
    },
    top_features: features.slice(0, 5),
    top_interactions: [],
    explainer_type: "tree",
    shap_skipped: false,
  };
}

/** The fields that it adds when SHAP was left out or failed, which holds up nobody. */
export function afterSkippedAnalysis(): Partial<ModelDeployerRequest> {
  return {
    shap_analysis: null,
    top_features: [],
    top_interactions: [],
    explainer_type: null,
    shap_skipped: true,
  };
}

/** The fields of the trainer; only the run and its artifacts count, for the metrics are read from the registry. */
export function afterTrainer(run = "run1"): Partial<ModelDeployerRequest> {
  return {
    mlflow_run_id: run,
    model_artifact_uri: `runs:/${run}/model`,
    preprocessing_artifact_uri: null,
    train_metrics: { roc_auc: 0.95 },
    validation_metrics: { roc_auc: 0.91 },
    test_metrics: { roc_auc: 0.9 },
    auc_roc: 0.9,
    success_criteria_met: true,
  };
}
