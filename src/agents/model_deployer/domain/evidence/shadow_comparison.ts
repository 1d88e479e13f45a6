import { z } from "zod";

/** A shadow's predictions beside production's on the same requests; sums over all pairs that both answered. */
export const shadowComparisonSchema = z.strictObject({
  pairs: z.int().min(0),
  /** Pairs whose predictions differ: labels that are not the same, numbers that are over 1 % apart. */
  disagreements: z.int().min(0),
  /** Pairs in which both sides gave a score. */
  scored: z.int().min(0),
  /** Scored pairs in which the shadow's score was higher, or lower. */
  higher: z.int().min(0),
  lower: z.int().min(0),
  /** Sum of the shadow's scores minus production's. */
  sum_difference: z.number(),
  sum_absolute_difference: z.number().min(0),
  /** Lines that were left out, since another request has the same id. */
  repeated_ids: z.int().min(0).default(0),
});

export type ShadowComparison = z.infer<typeof shadowComparisonSchema>;

export const nothingCompared: ShadowComparison = {
  pairs: 0,
  disagreements: 0,
  scored: 0,
  higher: 0,
  lower: 0,
  sum_difference: 0,
  sum_absolute_difference: 0,
  repeated_ids: 0,
};

export interface Predicted {
  prediction: unknown;
  score: number | null;
}

export interface Pair {
  shadow: Predicted;
  production: Predicted;
}
