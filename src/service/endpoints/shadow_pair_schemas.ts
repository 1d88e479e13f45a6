import { z } from "zod";
import { shadowComparisonSchema } from "../../agents/model_deployer/domain/evidence/shadow_comparison.ts";

const pairSchema = z.strictObject({
  request_id: z.string(),
  /** When production answered; null where its log does not say. */
  answered_at: z.string().nullable(),
  shadow: z.json(),
  production: z.json(),
  shadow_score: z.number().nullable(),
  production_score: z.number().nullable(),
  agrees: z.boolean(),
});
export type ShownPair = z.infer<typeof pairSchema>;

/** A shadow's predictions beside production's on the same requests. */
export const shadowPairsSchema = z.strictObject({
  endpoint_name: z.string(),
  shadow_deployment_id: z.string(),
  /** All pairs that were compared; null before the first. */
  compared: shadowComparisonSchema.nullable(),
  /** The newest, oldest first, as far as both logs are kept. */
  pairs: z.array(pairSchema),
});
export type ShadowPairs = z.infer<typeof shadowPairsSchema>;
