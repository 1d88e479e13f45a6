import { z } from "zod";
import { agentStateFields } from "../../base/agent_state.ts";
import { CheckedState } from "./checked_state.ts";
import { type Answer, answerSchema } from "../domain/answer.ts";
import { autoscalingSchema, stageSchema } from "../domain/entities.ts";
import { signatureComparisonSchema } from "../domain/models/model_signature.ts";
import { askedJudgeSettingsSchema } from "../domain/evidence/judgement.ts";
import { rolloutExpectationSchema } from "../domain/traffic/rollout_expectation.ts";
import { planDifferenceSchema } from "../planning/plan_difference.ts";
import { actionRequestSchema, rolloutRequestSchema } from "../domain/requests.ts";
import { featureSchema, neighbourFields, requestFields } from "./request_fields.ts";

export { type Progress, progressSchema } from "../domain/progress.ts";

export const planViewSchema = z.strictObject({
  summary: z.string(),
  steps: z.array(z.string()),
  differences: z.array(planDifferenceSchema),
  approvals_needed: z.int(),
  generation: z.int(),
  notes: z.array(z.string()),
  /** Readable names of the differences' ids, such as `e2i_remission v3`. */
  names: z.record(z.string(), z.string()).default({}),
  /** How the columns differ from what serves now; null where there is nothing to compare. */
  signature: signatureComparisonSchema.nullable().default(null),
  /** How long a rollout's steps are likely to last, and what they can show; null without one. */
  expectation: rolloutExpectationSchema.nullable().default(null),
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
  /** Evidence for the plan: the version's metrics, and for production the gate's criteria and the shadow's figures. */
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
  /** Sentences about parts that did not answer and get their updates later. */
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

const metrics = z.record(z.string(), z.number());

/** The neighbours' fields; only a registration reads them, and only SHAP's ranking becomes evidence. */
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
  adopt_staging: z.boolean().optional(),
  current_deployment_id: z.string().optional(),
  rollback_to: z.string().optional(),
  condemned_because: z.string().optional(),
  rollback_reason: z.string().optional(),
  deployment_id: z.string().optional(),
  removal_reason: z.string().optional(),
  restart_reason: z.string().optional(),
  update_reason: z.string().optional(),
  rollout_id: z.string().optional(),
  endpoint_name: z.string().optional(),
  rollout_reason: z.string().optional(),
  judge: askedJudgeSettingsSchema.optional(),
  ...neighbourStateFields,
});
/** A caller's request to the agent. */
export type ModelDeployerRequest = z.input<typeof requestStateSchema>;
export type ParsedRequestState = z.infer<typeof requestStateSchema>;

/** The state without the fields that only a registration reads: a neighbour's mistake in them stops no other action. */
export function withoutNeighbours(state: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(state).filter(([key]) => !Object.hasOwn(neighbourStateFields, key)),
  );
}

/** The agent's answer; a field that does not belong to the action is null. */
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
  /** Sentences about parts that did not answer and get their updates later. */
  degraded: string[];
}

/**
 * The answer's fields at the start of a run and after a failure, so that an earlier run's answer on the thread is not
 * taken for this one's.
 */
export const noAnswer = {
  operation_id: null,
  deployment_plan: null,
  deployment_manifest: null,
  version_record: null,
  rollback_successful: null,
  active_deployment_id: null,
  degraded: [],
} satisfies Partial<ModelDeployerAnswer>;
