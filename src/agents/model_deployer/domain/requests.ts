import { z } from "zod";
import { servedStageSchema, shapEvidenceSchema, stageSchema } from "./entities.ts";
import { askedJudgeSettingsSchema } from "./evidence/judgement.ts";
import { refuseSteps, rolloutStepSchema } from "./traffic/rollout.ts";
import {
  artifactUriSchema,
  boundsSchema,
  cpuSchema,
  experimentIdSchema,
  idSchema,
  memorySchema,
  modelNameSchema,
  reasonSchema,
  wordsSchema,
} from "./values/requested_values.ts";

const UPDATED_FIELDS = ["replicas", "cpu_limit", "memory_limit", "autoscaling"] as const;

export const registerRequestSchema = z.strictObject({
  action: z.literal("register"),
  experiment_id: experimentIdSchema,
  mlflow_run_id: z.string().regex(/^[a-zA-Z0-9]{1,64}$/, "an MLflow run id"),
  mlflow_model_name: modelNameSchema.nullable(),
  /** Set when the trainer has registered the version already. */
  mlflow_model_version: z.int().min(1).nullable(),
  model_artifact_uri: artifactUriSchema.nullable(),
  preprocessing_artifact_uri: artifactUriSchema.nullable(),
  shap_evidence: shapEvidenceSchema.nullable(),
});
export type RegisterRequest = z.infer<typeof registerRequestSchema>;

export const promoteRequestSchema = z.strictObject({
  action: z.literal("promote"),
  model_version_id: idSchema,
  target_stage: stageSchema,
  /** The stage that the caller expects; another one is a conflict. */
  current_stage: stageSchema.nullable(),
  promotion_reason: reasonSchema,
});
export type PromoteRequest = z.infer<typeof promoteRequestSchema>;

export const rolloutRequestSchema = z.union([
  z.enum(["linear", "canary", "immediate"]),
  z.strictObject({
    steps: z
      .array(rolloutStepSchema)
      .min(1)
      .max(100)
      .superRefine((steps, context) => {
        const wrong = refuseSteps(steps);
        if (wrong !== null) context.addIssue({ code: "custom", message: wrong });
      }),
    judge: askedJudgeSettingsSchema.optional(),
  }),
]);
export type RolloutRequest = z.infer<typeof rolloutRequestSchema>;

export const deployRequestSchema = z.strictObject({
  action: z.literal("deploy"),
  model_version_id: idSchema,
  target_stage: servedStageSchema,
  replicas: z.int().min(1).max(100),
  cpu_limit: cpuSchema,
  memory_limit: memorySchema,
  autoscaling: boundsSchema,
  /** How production traffic moves when a version serves already. */
  rollout: rolloutRequestSchema,
  /**
   * Whether the version's running server at staging becomes this deployment's, which leaves staging's callers without an
   * answer; where it is left out, only if nobody has asked for one there.
   */
  adopt_staging: z.boolean().optional(),
});
export type DeployRequest = z.infer<typeof deployRequestSchema>;

export const rollbackRequestSchema = z
  .strictObject({
    action: z.literal("rollback"),
    /** The deployment that is bad; without it the endpoint stands for what it serves, or served last. */
    current_deployment_id: idSchema.optional(),
    endpoint_name: idSchema.optional(),
    /** The endpoint that a state names beside the deployment; it is never looked at, and may be left over from another run. */
    endpoint_beside: idSchema.optional(),
    /** The version or the deployment to bring back; without it what served before. */
    rollback_to: idSchema.optional(),
    /** Why one may serve again that a judge or a person has condemned. */
    condemned_because: wordsSchema.optional(),
    rollback_reason: reasonSchema,
  })
  .refine((request) => request.current_deployment_id !== undefined || request.endpoint_name !== undefined, {
    path: ["current_deployment_id"],
    message: "expected the deployment that is bad, or its endpoint as endpoint_name",
  });
export type RollbackRequest = z.infer<typeof rollbackRequestSchema>;

/** Takes the server of one deployment away: of staging, of a shadow, or of one that has ended. */
export const removalRequestSchema = z.strictObject({
  action: z.literal("remove"),
  deployment_id: idSchema,
  removal_reason: reasonSchema,
});
export type RemovalRequest = z.infer<typeof removalRequestSchema>;

/** Starts another server of one deployment in the place of the one that it has. */
export const restartRequestSchema = z.strictObject({
  action: z.literal("restart"),
  deployment_id: idSchema,
  restart_reason: reasonSchema,
});
export type RestartRequest = z.infer<typeof restartRequestSchema>;

/** Changes replicas, limits or autoscaling of one deployment in place; what is left out stays as it is. */
export const updateRequestSchema = z
  .strictObject({
    action: z.literal("update"),
    deployment_id: idSchema,
    replicas: z.int().min(1).max(100).optional(),
    cpu_limit: cpuSchema.optional(),
    memory_limit: memorySchema.optional(),
    autoscaling: boundsSchema.optional(),
    update_reason: reasonSchema,
  })
  .refine((request) => UPDATED_FIELDS.some((field) => request[field] !== undefined), {
    path: ["replicas"],
    message: `expected at least one of ${UPDATED_FIELDS.join(", ")}`,
  });
export type UpdateRequest = z.infer<typeof updateRequestSchema>;

const namedRollout = {
  rollout_id: idSchema.nullable(),
  endpoint_name: idSchema.nullable(),
  rollout_reason: reasonSchema,
};
const isNamed = ({
  rollout_id,
  endpoint_name,
}: {
  rollout_id: string | null;
  endpoint_name: string | null;
}) => rollout_id !== null || endpoint_name !== null;
const ofName = { path: ["rollout_id"], message: "name the rollout, or its endpoint as endpoint_name" };

/** A control of an open rollout, or for `retry` of the endpoint's last one; the rollout or its endpoint is named. */
function rolloutControlSchema<A extends string>(action: A) {
  return z.strictObject({ action: z.literal(action), ...namedRollout }).refine(isNamed, ofName);
}

/** Takes no further step until it is resumed; traffic stays, and the judge goes on watching. */
export const pauseRequestSchema = rolloutControlSchema("pause");
export const resumeRequestSchema = rolloutControlSchema("resume");
/** All traffic back to the baseline at once; waits for nobody. */
export const abortRequestSchema = rolloutControlSchema("abort");
/** All traffic to the candidate, past the steps that are left. */
export const promoteNowRequestSchema = rolloutControlSchema("promote_now");
/** Begins a rollout that was aborted or rolled back again, at its first step. */
export const retryRequestSchema = z
  .strictObject({
    action: z.literal("retry"),
    ...namedRollout,
    /** Settings of the judge instead of the rollout's own. */
    judge: askedJudgeSettingsSchema.optional(),
  })
  .refine(isNamed, ofName);
export type RetryRequest = z.infer<typeof retryRequestSchema>;
export type RolloutControlRequest = z.infer<
  | typeof pauseRequestSchema
  | typeof resumeRequestSchema
  | typeof abortRequestSchema
  | typeof promoteNowRequestSchema
  | typeof retryRequestSchema
>;

/** The worker's own: looks at a rollout and moves it on, holds it or rolls it back. */
export const advanceRequestSchema = z.strictObject({
  action: z.literal("advance"),
  rollout_id: idSchema,
});

export const actionRequestSchema = z.discriminatedUnion("action", [
  registerRequestSchema,
  promoteRequestSchema,
  deployRequestSchema,
  rollbackRequestSchema,
  removalRequestSchema,
  restartRequestSchema,
  updateRequestSchema,
  pauseRequestSchema,
  resumeRequestSchema,
  abortRequestSchema,
  promoteNowRequestSchema,
  retryRequestSchema,
  advanceRequestSchema,
]);
export type ActionRequest = z.infer<typeof actionRequestSchema>;
export type Action = ActionRequest["action"];

/** Actions that a caller may request; `advance` is the worker's own. */
export const ASKED_ACTIONS = [
  "register",
  "promote",
  "deploy",
  "rollback",
  "remove",
  "restart",
  "update",
  "pause",
  "resume",
  "abort",
  "promote_now",
  "retry",
] as const satisfies readonly Action[];

/** The input of every decision beside its request and its facts. */
export interface DecisionContext {
  operation_id: string;
  requested_by: string;
  /** Whether it is known which person or machine asks; see `Operation.person`. */
  is_known: boolean;
  /** The database's clock, ISO 8601. */
  now: string;
}
