import { z } from "zod";
import { instantSchema, metricsSchema, stageSchema } from "../../agents/model_deployer/domain/entities.ts";

export const historyReportSchema = z.strictObject({
  subject: z.string(),
  experiment_id: z.string(),
  /** With `--at`: the versions that each of the experiment's endpoints sent traffic to at that instant. */
  at: z
    .strictObject({
      instant: instantSchema,
      traffic: z.array(
        z.strictObject({ endpoint_name: z.string(), model_version_id: z.string(), weight: z.number() }),
      ),
    })
    .nullable(),
  events: z.array(
    z.strictObject({
      kind: z.string(),
      occurred_at: instantSchema,
      model_version_id: z.string().nullable(),
      from_stage: stageSchema.nullable(),
      to_stage: stageSchema.nullable(),
      endpoint_name: z.string().nullable(),
      generation: z.int().nullable(),
      from_weights: z.record(z.string(), z.number()).nullable(),
      weights: z.record(z.string(), z.number()).nullable(),
      rollout_id: z.string().nullable(),
      changed_by: z.string(),
      reason: z.string(),
      metrics: metricsSchema,
      /** Further evidence: the gate's policy, the shadow's figures, a judge's verdict. */
      evidence: z.record(z.string(), z.unknown()),
    }),
  ),
  /** Episodes of the memory, newest first; empty where it does not answer, and `degraded` says so. */
  episodes: z.array(
    z.strictObject({
      occurred_at: z.string(),
      what: z.string(),
      outcome: z.string(),
      description: z.string(),
    }),
  ),
  /** How the memory changes each model family's next rollout; empty where it does not answer. */
  care: z.array(z.string()),
  versions: z.record(z.string(), z.string()),
  degraded: z.array(z.string()),
});
export type HistoryReport = z.infer<typeof historyReportSchema>;
