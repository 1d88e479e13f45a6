import { z } from "zod";
import { engineKindSchema } from "./servers/engines.ts";
import {
  autoscalingSchema,
  deploymentStatusSchema,
  instantSchema,
  isolationSchema,
  metricsSchema,
  type ModelVersion,
  servedStageSchema,
  stageSchema,
} from "./entities.ts";
import { rolloutStatusSchema, rolloutStepSchema } from "./traffic/rollout.ts";

export const deploymentManifestSchema = z.strictObject({
  deployment_id: z.string(),
  model_version_id: z.string(),
  experiment_id: z.string(),
  target_stage: servedStageSchema,
  endpoint_name: z.string(),
  /** The engine that runs its servers; null for the installation's usual one, from before it was written down. */
  engine: engineKindSchema.nullable().default(null),
  /** Base URL: callers append `/predict`. */
  endpoint_url: z.string(),
  replicas: z.int(),
  cpu_limit: z.string(),
  memory_limit: z.string(),
  autoscaling: autoscalingSchema,
  /** Whether the machine holds servers to their limits; null where this run started none, or nobody can tell. */
  limits_enforced: z.boolean().nullable().default(null),
  /** Why it does not, and what is done instead; null elsewhere. */
  limits_note: z.string().nullable().default(null),
  /**
   * The model is kept from the rest of the machine by the kernel's Landlock and seccomp, by the means of a cluster's pods, or
   * nothing; null where this run started no server.
   */
  isolation: isolationSchema.nullable().default(null),
  model_artifact_uri: z.string(),
  preprocessing_artifact_uri: z.string().nullable(),
  bento_tag: z.string(),
  deployed_by: z.string(),
  deployed_at: instantSchema,
  deployment_duration_seconds: z.number(),
  status: deploymentStatusSchema,
  traffic: z.strictObject({
    generation: z.int(),
    weights: z.array(z.strictObject({ deployment_id: z.string(), weight: z.int() })),
    mirror_deployment_id: z.string().nullable(),
  }),
  rollout: z
    .strictObject({
      rollout_id: z.string(),
      status: rolloutStatusSchema,
      step_index: z.int(),
      steps: z.array(rolloutStepSchema),
      next_tick_at: instantSchema.nullable(),
    })
    .nullable(),
});
export type DeploymentManifest = z.infer<typeof deploymentManifestSchema>;

export const versionRecordSchema = z.strictObject({
  model_version_id: z.string(),
  model_name: z.string(),
  version: z.int(),
  previous_stage: stageSchema,
  current_stage: stageSchema,
  metrics_at_promotion: metricsSchema,
  promoted_by: z.string(),
  promoted_at: instantSchema,
  promotion_reason: z.string(),
});
export type VersionRecord = z.infer<typeof versionRecordSchema>;

export const answerSchema = z.strictObject({
  deployment_manifest: deploymentManifestSchema.nullable(),
  version_record: versionRecordSchema.nullable(),
  model_version_id: z.string().nullable(),
  rollback_successful: z.boolean().nullable(),
  active_deployment_id: z.string().nullable(),
  /** Sentences for the caller, though the action succeeded. */
  notes: z.array(z.string()),
});
/** An action's answer, stored with its operation, so that the same request gets the same answer. */
export type Answer = z.infer<typeof answerSchema>;

/** The answer of an action on a version without a deployment; `promoted_at` is set anew when the version moved. */
export function versionAnswer(
  version: ModelVersion,
  move: Pick<VersionRecord, "current_stage" | "promoted_by" | "promoted_at" | "promotion_reason">,
  notes: string[],
): Answer {
  return {
    ...emptyAnswer,
    version_record: {
      model_version_id: version.model_version_id,
      model_name: version.model_name,
      version: version.version,
      previous_stage: version.stage,
      metrics_at_promotion: version.metrics,
      ...move,
    },
    model_version_id: version.model_version_id,
    notes,
  };
}

export const emptyAnswer: Answer = {
  deployment_manifest: null,
  version_record: null,
  model_version_id: null,
  rollback_successful: null,
  active_deployment_id: null,
  notes: [],
};
