import { z } from "zod";
import { engineKindSchema } from "./servers/engines.ts";
import { loadingSummarySchema } from "./models/loading_summary.ts";
import { modelSignatureSchema } from "./models/model_signature.ts";
import { signedBySchema } from "./models/signers.ts";
import { outcomeEvidenceSchema } from "./evidence/late_outcomes.ts";
import { shadowComparisonSchema } from "./evidence/shadow_comparison.ts";

/** All stored data is JSON with snake_case keys, so that rows, plans and manifests need no translation. */

export const stageSchema = z.enum(["development", "staging", "shadow", "production", "archived"]);
export type Stage = z.infer<typeof stageSchema>;

export const servedStageSchema = z.enum(["staging", "shadow", "production"]);
/** The stages at which a version is served. */
export type ServedStage = z.infer<typeof servedStageSchema>;

export const deploymentStatusSchema = z.enum([
  "pending",
  "deploying",
  "active",
  "draining",
  "rolled_back",
  "failed",
]);
export type DeploymentStatus = z.infer<typeof deploymentStatusSchema>;

/** Statuses in which a deployment's server is stopped. */
export const STOPPABLE_STATUSES: readonly DeploymentStatus[] = ["draining", "rolled_back", "failed"];

export const isolationSchema = z.enum(["landlock", "pod", "none"]);
/** A model's servers are kept from the rest of the machine by the kernel, by the means of a cluster's pods, or not at all. */
export type Isolation = z.infer<typeof isolationSchema>;

/** An instant as ISO 8601 text with an offset; always the database's clock. */
export const instantSchema = z.iso.datetime({ offset: true });

export const metricsSchema = z.record(z.string(), z.number());
export type Metrics = z.infer<typeof metricsSchema>;

export const autoscalingSchema = z.strictObject({
  min: z.int().min(1).max(100),
  max: z.int().min(1).max(100),
  target_cpu: z.int().min(1).max(100),
});

export const resourcesSchema = z.strictObject({
  replicas: z.int().min(1).max(100),
  cpu_limit: z.string(),
  memory_limit: z.string(),
  autoscaling: autoscalingSchema,
});
export type Resources = z.infer<typeof resourcesSchema>;

/** A version's features by SHAP rank, kept as evidence and compared between versions. */
export const shapEvidenceSchema = z.strictObject({
  shap_analysis_id: z.string().nullable(),
  top_features: z.array(z.string()),
  samples_analyzed: z.int().min(0),
});

/** A bound on one metric of a run, by the name under which the run logged it. */
export const criterionSchema = z.strictObject({
  /** By MLflow's own rule, which takes letters of every language. */
  metric: z
    .string()
    .regex(
      /^[\p{L}\p{N}_.-][\p{L}\p{N}_.:/ -]{0,249}$/u,
      "a metric's name, as the run logs it: letters, digits, '_', '-', '.', ':', '/' and spaces, at most 250",
    ),
  bound: z.number(),
  direction: z.enum(["at_least", "at_most"]),
});
export type Criterion = z.infer<typeof criterionSchema>;

export const experimentSchema = z.strictObject({
  experiment_id: z.string(),
  experiment_name: z.string(),
  prediction_target: z.string(),
  /** Success criteria. Null means that none is set; without any, of `criteria` as well, nothing reaches production. */
  minimum_auc: z.number().nullable(),
  minimum_precision_at_k: z.number().nullable(),
  maximum_fpr: z.number().nullable(),
  /** Bounds on other metrics; left out where there are none. */
  criteria: z.array(criterionSchema).max(50).optional(),
});
export type Experiment = z.infer<typeof experimentSchema>;

export const modelVersionSchema = z.strictObject({
  model_version_id: z.string(),
  experiment_id: z.string(),
  model_name: z.string(),
  /** MLflow's version number under `model_name`. */
  version: z.int().min(1),
  mlflow_run_id: z.string(),
  model_artifact_uri: z.string(),
  preprocessing_artifact_uri: z.string().nullable(),
  /** sha256 over the sorted list of (path, sha256) of the artifact's files, pinned at registration. */
  artifact_digest: z.string(),
  /** The same for the preprocessing artifact; null without one. */
  preprocessing_digest: z.string().nullable(),
  metrics: metricsSchema,
  shap_evidence: shapEvidenceSchema.nullable(),
  /** The columns that its callers send and get, read from the files at registration; null where they do not tell. */
  signature: modelSignatureSchema.nullable().default(null),
  /** The effects of loading its files, read from them at registration; null where they were not read. */
  loading: loadingSummarySchema.nullable().default(null),
  /** Who signed its files, as verified at registration; null where no policy asked for it then. */
  signed_by: z.array(signedBySchema).nullable().default(null),
  /** The version of the same run that was at its end when this one was registered; null for the first. */
  earlier_version_id: z.string().nullable().default(null),
  stage: stageSchema,
  /** Counts the stage changes of this version; a change names the revision that it saw. */
  stage_revision: z.int().min(0),
  registered_at: instantSchema,
  promoted_at: instantSchema.nullable(),
});
export type ModelVersion = z.infer<typeof modelVersionSchema>;

/** Whole percents by deployment id; they sum to 100, or the set is empty while an endpoint has never served. */
export const weightSetSchema = z.record(z.string(), z.int().min(0).max(100));
export type WeightSet = z.infer<typeof weightSetSchema>;

export const endpointSchema = z.strictObject({
  endpoint_name: z.string(),
  experiment_id: z.string(),
  /** The engine whose router it was opened at, for its life; null for the usual one, from before it was written down. */
  engine: engineKindSchema.nullable().default(null),
  /** Base URL, stable for the endpoint's life: callers append `/predict`. */
  endpoint_url: z.string(),
  /** The fence: each change of weights or mirror names the generation that it saw and raises it by one. */
  generation: z.int().min(0),
  weights: weightSetSchema,
  mirror_deployment_id: z.string().nullable(),
  /** The last generation that the router acknowledged. */
  observed_generation: z.int().min(0),
  observed_at: instantSchema.nullable(),
});
export type Endpoint = z.infer<typeof endpointSchema>;

export const deploymentSchema = z.strictObject({
  deployment_id: z.string(),
  model_version_id: z.string(),
  experiment_id: z.string(),
  operation_id: z.string(),
  target_stage: servedStageSchema,
  endpoint_name: z.string(),
  /** The engine that runs its servers, for its life; null for the usual one, from before it was written down. */
  engine: engineKindSchema.nullable().default(null),
  /** Null until the endpoint is open. */
  endpoint_url: z.string().nullable(),
  status: deploymentStatusSchema,
  replicas: z.int().min(1),
  cpu_limit: z.string(),
  memory_limit: z.string(),
  autoscaling: autoscalingSchema,
  model_artifact_uri: z.string(),
  preprocessing_artifact_uri: z.string().nullable(),
  bento_tag: z.string(),
  traffic_percentage: z.int().min(0).max(100),
  previous_deployment_id: z.string().nullable(),
  deployed_by: z.string(),
  deployed_at: instantSchema,
  activated_at: instantSchema.nullable(),
  deployment_duration_seconds: z.number().nullable(),
  /** When a replaced deployment's server may be stopped; until then it is kept warm. */
  drain_due_at: instantSchema.nullable(),
  /** When its server was stopped. */
  drained_at: instantSchema.nullable(),
  rolled_back_at: instantSchema.nullable(),
  rollback_reason: z.string().nullable(),
});
export type Deployment = z.infer<typeof deploymentSchema>;

/** A shadow's evidence, collected by the deployer from the router; never taken from a caller. */
export const shadowEvidenceSchema = z.strictObject({
  deployment_id: z.string(),
  /**
   * Hours from the shadow's activation to its last reading, by the database's clock, without the time in which the
   * router was away.
   */
  hours: z.number().min(0),
  requests: z.int().min(0),
  errors: z.int().min(0),
  /** How often production failed in the same time, on as many requests as the shadow has answered. */
  production_errors: z.int().min(0).default(0),
  /** Null while nothing was answered. */
  p99_ms: z.number().nullable(),
  collected_at: instantSchema,
  /** The comparison of its predictions with production's; null where none were compared. */
  comparison: shadowComparisonSchema.nullable().default(null),
  /** The evidence of outcomes of both on the same requests; null where none were compared. */
  outcomes: outcomeEvidenceSchema.nullable().default(null),
});
export type ShadowEvidence = z.infer<typeof shadowEvidenceSchema>;
