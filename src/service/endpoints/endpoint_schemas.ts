import { z } from "zod";
import {
  deploymentStatusSchema,
  instantSchema,
  servedStageSchema,
} from "../../agents/model_deployer/domain/entities.ts";
import { countsSchema } from "../../agents/model_deployer/domain/evidence/judgement.ts";
import {
  acknowledgedWeightsSchema,
  lookVerdictSchema,
  trafficChangeSchema,
} from "../../agents/model_deployer/domain/traffic/route_history.ts";
import { operationViewSchema, rolloutViewSchema } from "../status/status_schemas.ts";

/** The endpoints as people watch them: all on one page, and one closely. */

const servedSchema = z.strictObject({
  deployment_id: z.string(),
  bento_tag: z.string(),
  model_version_id: z.string(),
  model_name: z.string(),
  version: z.int(),
  stage: servedStageSchema,
  status: deploymentStatusSchema,
});

export const figuresViewSchema = z.strictObject({
  /** The length of the stretch that the figures are of, until `read_at`. */
  seconds: z.number(),
  read_at: instantSchema,
  requests_per_second: z.number(),
  /** Fraction of the answers of that stretch; null without one. */
  error_share: z.number().nullable(),
  p50_ms: z.number().nullable(),
  p99_ms: z.number().nullable(),
});
export type FiguresView = z.infer<typeof figuresViewSchema>;

export const healthSchema = z.strictObject({
  /** `idle` has no traffic; `unknown` was not looked at yet. */
  state: z.enum(["ok", "degraded", "down", "idle", "unknown"]),
  /** A sentence for each thing that is not as it should be. */
  reasons: z.array(z.string()),
});
export type Health = z.infer<typeof healthSchema>;

export const vitalsSchema = z.strictObject({
  health: healthSchema,
  /** Of all answers that callers got, mirrored ones left out; null until two readings are there. */
  figures: figuresViewSchema.nullable(),
  figures_by_deployment: z.record(z.string(), figuresViewSchema),
});
export type Vitals = z.infer<typeof vitalsSchema>;

export const endpointViewSchema = z.strictObject({
  endpoint_name: z.string(),
  endpoint_url: z.string(),
  experiment_id: z.string(),
  /** The stage that it serves; null before its first deployment. */
  stage: servedStageSchema.nullable(),
  generation: z.int(),
  /** The last generation that the router acknowledged; below `generation` while a change is under way. */
  observed_generation: z.int(),
  traffic: z.array(
    servedSchema.extend({ weight: z.int(), role: z.enum(["serving", "candidate", "baseline"]) }),
  ),
  mirror: servedSchema.nullable(),
  /** The change that brought the present traffic; null before the first. */
  last_change: trafficChangeSchema.nullable(),
  /** The rollout that began last, whatever has become of it. */
  rollout: rolloutViewSchema.nullable(),
  /** Operations on it that have not ended, those that wait for approvals among them. */
  operations: z.array(operationViewSchema),
  ...vitalsSchema.shape,
});
export type EndpointView = z.infer<typeof endpointViewSchema>;

export const weightsReportSchema = z.strictObject({
  endpoint_name: z.string(),
  /** Each generation that the router acknowledged, oldest first. */
  weights: z.array(acknowledgedWeightsSchema),
  /** Readable names of the model versions, by id. */
  versions: z.record(z.string(), z.string()),
});

export const looksReportSchema = z.strictObject({
  rollout_id: z.string(),
  endpoint_name: z.string(),
  deployment_id: z.string(),
  baseline_deployment_id: z.string(),
  /** Evidence at or above this fails the candidate: 1 / alpha. */
  threshold: z.number(),
  alpha: z.number(),
  /** A pass to all traffic needs `worse_by_at_most` at or below this. */
  margin: z.number(),
  rollout: rolloutViewSchema,
  candidate: countsSchema,
  baseline: countsSchema,
  looks: z.array(lookVerdictSchema),
});
