const SHAP = {
  shap_analysis_id: "shap_1",
  feature_importance: [{ feature: "age", importance: 0.5, rank: 1 }],
  samples_analyzed: 100,
};
const STEPS = [
  { weight: 10, bake_seconds: 60 },
  { weight: 100, bake_seconds: 0 },
];

/** A request of each action that is taken as it is, with all that may be inside it. */
export const validRequests = {
  register: { experiment_id: "remission", mlflow_run_id: "run1", shap_analysis: SHAP },
  promote: { model_version_id: "mv_1", target_stage: "staging", promotion_reason: "it is good" },
  deploy: {
    model_version_id: "mv_1",
    target_stage: "production",
    autoscaling: { min: 1, max: 2, target_cpu: 70 },
    rollout: { steps: STEPS, judge: { alpha: 0.05 } },
  },
  rollback: { current_deployment_id: "deploy_1", rollback_reason: "wrong scores" },
  remove: { deployment_id: "deploy_1", removal_reason: "it hangs" },
  restart: { deployment_id: "deploy_1", restart_reason: "it hangs" },
  update: { deployment_id: "deploy_1", replicas: 2, memory_limit: "2Gi", update_reason: "more callers" },
  advance: { rollout_id: "rollout_1" },
} as const;
export type Action = keyof typeof validRequests;

/** Which hostile values a field may take after all: free text takes text, a share takes numbers, and so on. */
export type Takes = "nothing" | "text" | "any text" | "numbers" | "positive numbers";
export type Path = readonly (string | number)[];
interface Place {
  path: Path;
  takes: Takes;
}

const at = (takes: Takes, ...paths: string[]): Place[] =>
  paths.map((path) => ({
    path: path.split(".").map((key) => (/^\d+$/.test(key) ? Number(key) : key)),
    takes,
  }));

const everywhere = at("nothing", "deployment_action", "request_id", "session_id", "query_id");

/** The fields that each action reads, and their inner fields; other actions' fields may lie around in a state. */
export const places: Readonly<Record<Action, readonly Place[]>> = {
  register: [
    ...everywhere,
    ...at("nothing", "experiment_id", "mlflow_run_id", "mlflow_model_name", "mlflow_model_version"),
    ...at("nothing", "model_artifact_uri", "preprocessing_artifact_uri", "shap_analysis", "top_features"),
    ...at("nothing", "shap_analysis.feature_importance", "shap_analysis.samples_analyzed"),
    ...at("numbers", "shap_analysis.feature_importance.0.importance"),
    ...at("numbers", "shap_analysis.feature_importance.0.rank"),
    ...at("any text", "shap_analysis.feature_importance.0.feature", "shap_analysis.shap_analysis_id"),
  ],
  promote: [
    ...everywhere,
    ...at("nothing", "model_version_id", "target_stage", "current_stage"),
    ...at("text", "promotion_reason"),
  ],
  deploy: [
    ...everywhere,
    ...at("nothing", "model_version_id", "target_stage", "replicas", "cpu_limit", "memory_limit"),
    ...at("nothing", "autoscaling", "autoscaling.min", "autoscaling.max", "autoscaling.target_cpu"),
    ...at("nothing", "rollout", "rollout.steps", "rollout.steps.0.weight", "rollout.judge.alpha"),
    ...at("positive numbers", "rollout.steps.0.bake_seconds"),
  ],
  rollback: [...everywhere, ...at("nothing", "current_deployment_id"), ...at("text", "rollback_reason")],
  remove: [...everywhere, ...at("nothing", "deployment_id"), ...at("text", "removal_reason")],
  restart: [...everywhere, ...at("nothing", "deployment_id"), ...at("text", "restart_reason")],
  update: [
    ...everywhere,
    ...at("nothing", "deployment_id", "replicas", "memory_limit"),
    ...at("text", "update_reason"),
  ],
  advance: [...everywhere, ...at("nothing", "rollout_id")],
};

export const requiredFields: Readonly<Record<Action, readonly string[]>> = {
  register: ["experiment_id", "mlflow_run_id"],
  promote: ["model_version_id", "target_stage"],
  deploy: ["model_version_id", "target_stage"],
  rollback: ["current_deployment_id", "rollback_reason"],
  remove: ["deployment_id", "removal_reason"],
  restart: ["deployment_id", "restart_reason"],
  update: ["deployment_id", "update_reason"],
  advance: ["rollout_id"],
};
