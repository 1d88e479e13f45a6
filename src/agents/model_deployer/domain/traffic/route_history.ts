import { z } from "zod";
import { instantSchema, metricsSchema } from "../entities.ts";
import { verdictSchema } from "../evidence/judgement.ts";
import { rolloutStatusSchema } from "./rollout.ts";

/** Who changed an endpoint's traffic, why, and what the versions had answered by then. */
export const trafficChangeSchema = z.strictObject({
  occurred_at: instantSchema,
  changed_by: z.string(),
  reason: z.string(),
  metrics: metricsSchema,
});
export type TrafficChange = z.infer<typeof trafficChangeSchema>;

/** A generation of an endpoint's route that the router acknowledged. */
export const acknowledgedWeightsSchema = trafficChangeSchema.extend({
  generation: z.int(),
  /** Percent by model version. */
  version_weights: z.record(z.string(), z.number()),
  deployment_weights: z.record(z.string(), z.number()),
  mirror_deployment_id: z.string().nullable(),
  evidence: z.record(z.string(), z.unknown()),
  operation_id: z.string().nullable(),
});
export type AcknowledgedWeights = z.infer<typeof acknowledgedWeightsSchema>;

export const lookVerdictSchema = z.strictObject({
  looked_at: instantSchema,
  status: rolloutStatusSchema,
  step_index: z.int(),
  /** Percent. */
  candidate_weight: z.int(),
  /** Whether the baseline had a share back for a comparison. */
  challenged: z.boolean(),
  verdict: verdictSchema,
});
export type LookVerdict = z.infer<typeof lookVerdictSchema>;
