import { z } from "zod";
import { agentStateFields } from "../base/agent_state.ts";
import { CheckedState } from "./checked_state.ts";
import { type Answer, answerSchema } from "./domain/answer.ts";
import { autoscalingSchema, stageSchema } from "./domain/entities.ts";
import { planDifferenceSchema } from "./domain/plan_difference.ts";
import { actionRequestSchema, ASKED_ACTIONS, rolloutRequestSchema } from "./domain/requests.ts";

/**
 * Fields that come from a caller are taken as they are and parsed by `validate_request`, so that a bad one ends in a
 * typed error; Studio still sees their shape and makes a form of it.
 */
function given(schema: z.ZodType, description: string) {
  const shape = z.toJSONSchema(schema, { io: "input", unrepresentable: "any" });
  return z
    .unknown()
    .meta({ ...shape, description })
    .optional();
}

const text = z.string();
const metrics = z.record(z.string(), z.number());
const featureSchema = z.object({ feature: z.string(), importance: z.number(), rank: z.number() });

/** What feature_analyzer and the trainer hand over; `shap_analysis` may be missing. */
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
  replicas: given(z.int(), "deploy: servers"),
  cpu_limit: given(text, 'deploy: such as "2"'),
  memory_limit: given(text, 'deploy: such as "4Gi"'),
  autoscaling: given(autoscalingSchema, "deploy: bounds and target"),
  rollout: given(
    rolloutRequestSchema,
    "deploy to production: linear, canary, immediate, or steps of one's own",
  ),
  current_deployment_id: given(text, "rollback: the active production deployment that is bad"),
  rollback_reason: given(text, "rollback: why; kept in the history"),
  deployment_id: given(text, "remove, restart: the deployment whose server is meant"),
  removal_reason: given(text, "remove: why; kept in the history"),
  restart_reason: given(text, "restart: why; kept in the history"),
  rollout_id: given(text, "pause, resume, abort, promote_now, retry: the rollout; or its endpoint_name"),
  endpoint_name: given(text, "pause, resume, abort, promote_now, retry: the endpoint, for its last rollout"),
  rollout_reason: given(text, "pause, resume, abort, promote_now, retry: why; kept in the history"),
};

export const progressSchema = z.strictObject({
  event: z.enum(["planned", "awaiting_approval", "step_started", "step_done", "step_undone", "done"]),
  operation_id: z.string().nullable(),
  step: z.string().nullable(),
  message: z.string(),
});
/** What streams out of a run as custom events. */
export type Progress = z.infer<typeof progressSchema>;

export const planViewSchema = z.strictObject({
  summary: z.string(),
  steps: z.array(z.string()),
  /** What is different afterwards. */
  differences: z.array(planDifferenceSchema),
  approvals_needed: z.int(),
  generation: z.int(),
  notes: z.array(z.string()),
  /** What the differences' ids are called by a person, such as `e2i_remission v3`. */
  names: z.record(z.string(), z.string()).default({}),
});
/** A plan as a person reads it. */
export type PlanView = z.infer<typeof planViewSchema>;

export const approvalQuestionSchema = z.strictObject({
  kind: z.literal("approval_required"),
  operation_id: z.string(),
  summary: z.string(),
  generation: z.int(),
  approvals_needed: z.int(),
  approvals_given: z.int(),
  notes: z.array(z.string()),
  plan: planViewSchema,
  /** What speaks for the plan: the version's metrics, and for production what its gate asked for and what the shadow showed. */
  evidence: z.record(z.string(), z.json()),
  resume_with: z.strictObject({ approval_id: z.string() }),
  /** Why the last attempt to resume did not go through. */
  refused: z.string().nullable(),
});
/** The value of the interrupt that a promotion to production waits with. */
export type ApprovalQuestion = z.infer<typeof approvalQuestionSchema>;

const answerFields = answerSchema.shape;

export const ModelDeployerState = new CheckedState({
  ...agentStateFields,
  ...neighbourFields,
  ...requestFields,
  /** The validated request; set by the graph. */
  action_request: actionRequestSchema.optional(),
  idempotency_key: z.string().nullable().optional(),
  /** Null in a dry run, which claims nothing. */
  operation_id: z.string().nullable().optional(),
  operation_status: z.enum(["claimed", "awaiting_approval", "begun", "succeeded"]).nullable().optional(),
  deployment_plan: planViewSchema.nullable().optional(),
  deployment_manifest: answerFields.deployment_manifest.optional(),
  version_record: answerFields.version_record.optional(),
  rollback_successful: answerFields.rollback_successful.optional(),
  active_deployment_id: answerFields.active_deployment_id.optional(),
  /** Parts that did not answer and whose work is caught up later. */
  degraded: z.array(z.string()).optional(),
});
export type ModelDeployerStateValue = typeof ModelDeployerState.State;
export type ModelDeployerUpdate = typeof ModelDeployerState.Update;

/** `dry-run` plans and changes nothing; it is the default under a development server. */
export const contextSchema = z.object({
  effects: z
    .unknown()
    .meta({ type: "string", enum: ["live", "dry-run"], description: "live acts; dry-run only plans" })
    .optional(),
});

/** What the neighbours hand over; only a registration reads it, and only SHAP's ranking becomes evidence. */
const neighbourStateFields = {
  shap_analysis: z
    .object({
      shap_analysis_id: z.string().nullish(),
      feature_importance: z.array(featureSchema).max(10_000),
      samples_analyzed: z.int().min(0),
    })
    .nullish(),
  top_features: z.array(z.string()).max(100).nullish(),
  shap_skipped: z.boolean().nullish(),
  top_interactions: z.array(z.json()).max(100).nullish(),
  explainer_type: z.string().nullish(),
  train_metrics: metrics.nullish(),
  validation_metrics: metrics.nullish(),
  test_metrics: metrics.nullish(),
  auc_roc: z.number().nullish(),
  success_criteria_met: z.boolean().nullish(),
};

/** The request as it stands in the pipeline's state, strict: what is unknown here is a mistake. */
export const requestStateSchema = z.strictObject({
  deployment_action: z.string(),
  request_id: z
    .string()
    .regex(/^[\w.:-]{1,128}$/)
    .optional(),
  session_id: z
    .string()
    .regex(/^sess_[a-z0-9]{16}$/)
    .optional(),
  query_id: z
    .string()
    .regex(/^qry_[a-z0-9]{16}$/)
    .optional(),
  experiment_id: z.string().optional(),
  mlflow_run_id: z.string().optional(),
  mlflow_model_name: z.string().optional(),
  /** The registry's own API hands version numbers out as text. */
  mlflow_model_version: z
    .union([
      z.int().min(1),
      z
        .string()
        .regex(/^[1-9][0-9]{0,8}$/, "a whole number as text")
        .transform(Number),
    ])
    .optional(),
  model_artifact_uri: z.string().optional(),
  preprocessing_artifact_uri: z.string().nullable().optional(),
  model_version_id: z.string().optional(),
  target_stage: stageSchema.optional(),
  current_stage: stageSchema.optional(),
  promotion_reason: z.string().optional(),
  replicas: z.int().optional(),
  cpu_limit: z.string().optional(),
  memory_limit: z.string().optional(),
  autoscaling: autoscalingSchema.optional(),
  rollout: rolloutRequestSchema.optional(),
  current_deployment_id: z.string().optional(),
  rollback_reason: z.string().optional(),
  deployment_id: z.string().optional(),
  removal_reason: z.string().optional(),
  restart_reason: z.string().optional(),
  rollout_id: z.string().optional(),
  endpoint_name: z.string().optional(),
  rollout_reason: z.string().optional(),
  ...neighbourStateFields,
});
/** What a caller hands to the agent. */
export type ModelDeployerRequest = z.input<typeof requestStateSchema>;
export type ParsedRequestState = z.infer<typeof requestStateSchema>;

/** The state without what only a registration reads: what a neighbour got wrong holds up no other action. */
export function withoutNeighbours(state: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(state).filter(([key]) => !Object.hasOwn(neighbourStateFields, key)),
  );
}

/** What the agent answers; what does not belong to the action is null. */
export interface ModelDeployerAnswer {
  /** `in_progress` where the operation goes on after the answer. */
  status: "completed" | "in_progress";
  /** Null in a dry run. */
  operation_id: string | null;
  deployment_plan: PlanView | null;
  deployment_manifest: Answer["deployment_manifest"];
  version_record: Answer["version_record"];
  model_version_id: string | null;
  rollback_successful: boolean | null;
  active_deployment_id: string | null;
  warnings: string[];
  /** Parts that did not answer; what they missed is caught up later. */
  degraded: string[];
}

/** What a run begins with and a failure leaves, so that the answer of an earlier run of a thread passes for nobody's. */
export const noAnswer = {
  operation_id: null,
  deployment_plan: null,
  deployment_manifest: null,
  version_record: null,
  rollback_successful: null,
  active_deployment_id: null,
  degraded: [],
} satisfies Partial<ModelDeployerAnswer>;
