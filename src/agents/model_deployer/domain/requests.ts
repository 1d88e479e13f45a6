import { z } from "zod";
import { autoscalingSchema, servedStageSchema, shapEvidenceSchema, stageSchema } from "./entities.ts";
import { judgeSettingsSchema, rolloutStepSchema } from "./rollout.ts";
import { refuseSteps } from "./rollout_plan.ts";

const idSchema = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/,
    "letters, digits, '.', '_' and '-', at most 128, beginning with a letter or digit",
  );

/** Short enough that the names derived from it fit a bento's tag and an endpoint's name. */
export const experimentIdSchema = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,47}$/,
    "letters, digits, '.', '_' and '-', at most 48, beginning with a letter or digit",
  );

const modelNameSchema = z
  .string()
  .regex(
    /^[A-Za-z0-9][A-Za-z0-9._-]{0,55}$/,
    "letters, digits, '.', '_' and '-', at most 56, beginning with a letter or digit",
  );

const reasonSchema = z
  .string()
  .min(1)
  .max(2000)
  .regex(/^[^\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]*$/, "text without control characters");

/** Artifacts are read through the registry only; anything else has no scheme here. */
const artifactUriSchema = z
  .string()
  .max(1024)
  .regex(
    /^(runs|models|mlflow-artifacts):\/[A-Za-z0-9._\-/ ]+$/,
    "a runs:/, models:/ or mlflow-artifacts:/ address",
  )
  .refine((uri) => !uri.split("/").includes(".."), "an address without '..'");

const cpuSchema = z
  .string()
  .regex(/^([0-9]{1,2}(\.[0-9]{1,3})?|[0-9]{2,5}m)$/, 'a number of CPUs such as "2" or "500m"')
  .refine(
    (cpu) => (cpu.endsWith("m") ? Number(cpu.slice(0, -1)) / 1000 : Number(cpu)) <= 16,
    "at most 16 CPUs",
  )
  .refine((cpu) => Number.parseFloat(cpu) > 0, "more than 0 CPUs");

const memorySchema = z
  .string()
  .regex(/^[1-9][0-9]{0,4}(Mi|Gi)$/, 'an amount such as "512Mi" or "4Gi"')
  .refine(
    (memory) => Number.parseInt(memory, 10) * (memory.endsWith("Gi") ? 1024 : 1) <= 64 * 1024,
    "at most 64Gi",
  );

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
  /** What the caller believes the stage to be; a different truth is a conflict. */
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
    judge: judgeSettingsSchema.partial().optional(),
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
  autoscaling: autoscalingSchema.refine(({ min, max }) => min <= max, "min must not be above max"),
  /** How production traffic moves when a version serves already. */
  rollout: rolloutRequestSchema,
});
export type DeployRequest = z.infer<typeof deployRequestSchema>;

export const rollbackRequestSchema = z.strictObject({
  action: z.literal("rollback"),
  current_deployment_id: idSchema,
  rollback_reason: reasonSchema,
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

/** A control of a rollout that is open, or for `retry` of the endpoint's last one; named by itself or by its endpoint. */
function rolloutControlSchema<A extends string>(action: A) {
  return z
    .strictObject({
      action: z.literal(action),
      rollout_id: idSchema.nullable(),
      endpoint_name: idSchema.nullable(),
      rollout_reason: reasonSchema,
    })
    .refine(({ rollout_id, endpoint_name }) => rollout_id !== null || endpoint_name !== null, {
      path: ["rollout_id"],
      message: "name the rollout, or its endpoint as endpoint_name",
    });
}

/** Takes no further step until it is resumed; traffic stays, and the judge goes on watching. */
export const pauseRequestSchema = rolloutControlSchema("pause");
export const resumeRequestSchema = rolloutControlSchema("resume");
/** All traffic back to the baseline at once; waits for nobody. */
export const abortRequestSchema = rolloutControlSchema("abort");
/** All traffic to the candidate, past the steps that are left. */
export const promoteNowRequestSchema = rolloutControlSchema("promote_now");
/** Begins a rollout that was aborted or rolled back again, at its first step. */
export const retryRequestSchema = rolloutControlSchema("retry");
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
  pauseRequestSchema,
  resumeRequestSchema,
  abortRequestSchema,
  promoteNowRequestSchema,
  retryRequestSchema,
  advanceRequestSchema,
]);
export type ActionRequest = z.infer<typeof actionRequestSchema>;
export type Action = ActionRequest["action"];

/** What a caller may ask for; `advance` is the worker's own. */
export const ASKED_ACTIONS = [
  "register",
  "promote",
  "deploy",
  "rollback",
  "remove",
  "restart",
  "pause",
  "resume",
  "abort",
  "promote_now",
  "retry",
] as const satisfies readonly Action[];

/** What every decision gets beside its request and its facts. */
export interface DecisionContext {
  operation_id: string;
  requested_by: string;
  /** The database's clock, ISO 8601. */
  now: string;
}
