import { z } from "zod";
import { autoscalingSchema, stageSchema } from "../domain/entities.ts";
import { askedJudgeSettingsSchema } from "../domain/evidence/judgement.ts";
import { ASKED_ACTIONS, rolloutRequestSchema } from "../domain/requests.ts";

/**
 * A field that is taken from a caller unchecked and parsed by `validate_request`, so that a bad value ends in a typed
 * error; Studio still makes a form of its schema.
 */
function given(schema: z.ZodType, description: string) {
  const shape = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
  return z
    .unknown()
    .meta({ ...shape, description })
    .optional();
}

const text = z.string();
export const featureSchema = z.object({ feature: z.string(), importance: z.number(), rank: z.number() });

/** Fields of feature_analyzer and the trainer; `shap_analysis` may be missing. */
export const neighbourFields = {
  shap_analysis: given(
    z.object({
      experiment_id: text,
      model_version: text,
      shap_analysis_id: text.optional(),
      feature_importance: z.array(featureSchema),
      samples_analyzed: z.number(),
    }),
    "feature_analyzer's SHAP analysis, if there is one",
  ),
  top_features: given(z.array(text), "feature_analyzer's five most important features"),
  shap_skipped: given(z.boolean(), "feature_analyzer left SHAP out"),
  test_metrics: given(
    z.record(z.string(), z.number()),
    "the trainer's metrics on the test split; the run's own count",
  ),
  success_criteria_met: given(z.boolean(), "the trainer's opinion; the gate reads the registry instead"),
};

export const requestFields = {
  deployment_action: given(z.enum(ASKED_ACTIONS), "what to do"),
  request_id: given(text, "makes the request idempotent: the same id and body get the same answer"),
  experiment_id: given(text, "register: the experiment, which must exist"),
  mlflow_run_id: given(text, "register: the finished run"),
  mlflow_model_name: given(
    text,
    "register: the registered model's name; by default it follows the experiment",
  ),
  mlflow_model_version: given(z.int(), "register: the version, when the trainer has registered it already"),
  model_artifact_uri: given(
    text,
    "register: runs:/, models:/ or mlflow-artifacts:/; by default runs:/<run>/model",
  ),
  preprocessing_artifact_uri: given(text, "register: a transformer that is applied first"),
  model_version_id: given(text, "promote, deploy: the version"),
  target_stage: given(stageSchema, "promote: the next stage; deploy: staging, shadow or production"),
  current_stage: given(stageSchema, "promote: what the caller believes; another truth is a conflict"),
  promotion_reason: given(text, "promote: why; kept in the history"),
  replicas: given(z.int(), "deploy, update: servers"),
  cpu_limit: given(text, 'deploy, update: such as "2"'),
  memory_limit: given(text, 'deploy, update: such as "4Gi"'),
  autoscaling: given(autoscalingSchema, "deploy, update: bounds and target"),
  rollout: given(
    rolloutRequestSchema,
    "deploy to production: linear, canary, immediate, or steps of one's own",
  ),
  adopt_staging: given(
    z.boolean(),
    "deploy to shadow or production: take over the version's running server at staging, whose callers get no answer then; by default only where nobody has asked for one",
  ),
  current_deployment_id: given(text, "rollback: the production deployment that is bad; or its endpoint_name"),
  rollback_to: given(
    text,
    "rollback: the version or deployment to bring back; by default what served before",
  ),
  condemned_because: given(
    text,
    "rollback: why a version may serve again that a judge or a person has condemned",
  ),
  rollback_reason: given(text, "rollback: why; kept in the history"),
  deployment_id: given(text, "remove, restart, update: the deployment whose servers are meant"),
  removal_reason: given(text, "remove: why; kept in the history"),
  restart_reason: given(text, "restart: why; kept in the history"),
  update_reason: given(text, "update: why; kept in the history"),
  rollout_id: given(text, "pause, resume, abort, promote_now, retry: the rollout; or its endpoint_name"),
  endpoint_name: given(
    text,
    "rollback: the endpoint; pause, resume, abort, promote_now, retry: the endpoint, for its last rollout",
  ),
  judge: given(askedJudgeSettingsSchema, "retry: settings of the judge instead of the rollout's own"),
  rollout_reason: given(text, "pause, resume, abort, promote_now, retry: why; kept in the history"),
};
