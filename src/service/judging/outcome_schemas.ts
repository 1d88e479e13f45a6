import { z } from "zod";
import {
  measureSchema,
  recordedOutcomesSchema,
} from "../../agents/model_deployer/domain/evidence/late_outcomes.ts";

export const outcomesImportSchema = z.strictObject({ file: z.string(), ...recordedOutcomesSchema.shape });

const sideSchema = z.strictObject({ outcomes: z.int(), mean_loss: z.number().nullable() });

const comparedOutcomesSchema = z.strictObject({
  /** A rollout's id, or a shadow's deployment id. */
  subject: z.string(),
  measure: measureSchema,
  said: z.string(),
  candidate: sideSchema,
  baseline: sideSchema,
  e_value: z.number(),
  wrong_type: z.int(),
  without_control: z.int(),
});
export type ComparedOutcomes = z.infer<typeof comparedOutcomesSchema>;

export const outcomesReportSchema = z.strictObject({
  endpoint_name: z.string(),
  kept_answers: z.int(),
  /** Requests whose id an earlier one had; they count for nobody. */
  repeated_ids: z.int(),
  compared: z.array(comparedOutcomesSchema),
});
