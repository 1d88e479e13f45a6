import type { Action } from "../domain/requests.ts";
import { idSchema } from "../domain/values/requested_values.ts";
import type { ParsedRequestState } from "../state/state.ts";

const defaults = {
  replicas: 1,
  cpu_limit: "2",
  memory_limit: "4Gi",
  autoscaling: { min: 1, max: 5, target_cpu: 70 },
  rollout: "linear",
  promotion_reason: "Automated promotion",
} as const;

/** The fields of a state that the action takes, with the defaults of those that are left out. */
export function assembledRequest(action: Action, state: ParsedRequestState): Record<string, unknown> {
  return withoutUndefined({ action, ...fieldsOf(action, state) });
}

function fieldsOf(action: Action, state: ParsedRequestState): Record<string, unknown> {
  const { model_version_id, target_stage, deployment_id } = state;
  switch (action) {
    case "register":
      return registered(state);
    case "promote":
      return {
        ...{ model_version_id, target_stage },
        current_stage: state.current_stage ?? null,
        promotion_reason: state.promotion_reason ?? defaults.promotion_reason,
      };
    case "deploy":
      return {
        ...{ model_version_id, target_stage },
        ...deployed(state),
        rollout: state.rollout ?? defaults.rollout,
        ...(state.adopt_staging !== undefined && { adopt_staging: state.adopt_staging }),
      };
    case "rollback":
      return rollback(state);
    case "remove":
      return { deployment_id, removal_reason: state.removal_reason };
    case "restart":
      return { deployment_id, restart_reason: state.restart_reason };
    case "update":
      return { deployment_id, ...updated(state) };
    case "pause":
    case "resume":
    case "abort":
    case "promote_now":
      return controlledRollout(state);
    case "retry":
      return { ...controlledRollout(state), judge: state.judge };
    case "advance":
      return { rollout_id: state.rollout_id };
    default:
      return action satisfies never;
  }
}

function registered(state: ParsedRequestState) {
  return {
    experiment_id: state.experiment_id,
    mlflow_run_id: state.mlflow_run_id,
    mlflow_model_name: state.mlflow_model_name ?? null,
    mlflow_model_version: state.mlflow_model_version ?? null,
    model_artifact_uri: state.model_artifact_uri ?? null,
    preprocessing_artifact_uri: state.preprocessing_artifact_uri ?? null,
    shap_evidence: shapEvidence(state),
  };
}

function deployed({ replicas, cpu_limit, memory_limit, autoscaling }: ParsedRequestState) {
  return {
    replicas: replicas ?? defaults.replicas,
    cpu_limit: cpu_limit ?? defaults.cpu_limit,
    memory_limit: memory_limit ?? defaults.memory_limit,
    autoscaling: autoscaling ?? defaults.autoscaling,
  };
}

function updated({ replicas, cpu_limit, memory_limit, autoscaling, update_reason }: ParsedRequestState) {
  return { replicas, cpu_limit, memory_limit, autoscaling, update_reason };
}

/** An endpoint that lies in a shared state beside the deployment that is bad is not asked about, and no reason to refuse. */
function rollback(state: ParsedRequestState) {
  const { current_deployment_id, endpoint_name, rollback_to, condemned_because, rollback_reason } = state;
  const beside = idSchema.optional().catch(undefined).parse(endpoint_name);
  const where =
    current_deployment_id === undefined
      ? { endpoint_name }
      : { current_deployment_id, ...(beside !== undefined && { endpoint_beside: beside }) };
  return { ...where, rollback_to, condemned_because, rollback_reason };
}

function controlledRollout({ rollout_id, endpoint_name, rollout_reason }: ParsedRequestState) {
  return { rollout_id: rollout_id ?? null, endpoint_name: endpoint_name ?? null, rollout_reason };
}

/** Null where feature_analyzer left SHAP out; a ranking without its analysis counts with zero samples. */
function shapEvidence({ shap_analysis, top_features, shap_skipped }: ParsedRequestState) {
  if (shap_skipped === true) return null;
  const ranked = (shap_analysis?.feature_importance ?? [])
    .toSorted((a, b) => a.rank - b.rank)
    .map((entry) => entry.feature);
  const top = top_features ?? ranked;
  if (top.length === 0) return null;
  return {
    shap_analysis_id: shap_analysis?.shap_analysis_id ?? null,
    top_features: top.slice(0, 5),
    samples_analyzed: shap_analysis?.samples_analyzed ?? 0,
  };
}

function withoutUndefined(record: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined));
}
