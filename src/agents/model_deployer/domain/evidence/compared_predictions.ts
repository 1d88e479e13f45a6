import { z } from "zod";
import { betsSchema, noBets } from "./bets.ts";

export const predictionSettingsSchema = z.strictObject({
  /**
   * Evidence beyond doubt fails a candidate whose predictions are distributed otherwise by this share of the answers or
   * more; null only tells.
   */
  maximum_shift: z.number().min(0.01).max(1).nullable(),
});
export type PredictionSettings = z.infer<typeof predictionSettingsSchema>;

const binsSchema = z.discriminatedUnion("kind", [
  /** By how many of these bounds a score exceeds: quantiles of the baseline's scores before the comparison. */
  z.object({ kind: z.literal("scores"), bounds: z.array(z.number()).min(1) }),
  /** By the baseline's most frequent classes before the comparison; all others are the last bin. */
  z.object({ kind: z.literal("classes"), labels: z.array(z.string()).min(1) }),
]);
export type Bins = z.infer<typeof binsSchema>;

const countsSchema = z.object({
  candidate: z.array(z.int().min(0)),
  baseline: z.array(z.int().min(0)),
});
/** How many predictions of each side lie in each bin. */
export type BinCounts = z.infer<typeof countsSchema>;

export const noCounts: BinCounts = { candidate: [], baseline: [] };

const waitingSchema = z.object({
  /** The end of the time in which their requests began, in ms. */
  until: z.number(),
  ...countsSchema.shape,
});
/** Predictions of requests that began in one short time, which others of that time may still follow. */
export type WaitingPredictions = z.infer<typeof waitingSchema>;

export const predictionEvidenceSchema = z.object({
  /** How far each log was read, by deployment. */
  positions: z.record(z.string(), z.string()),
  /** Null until the baseline has answered often enough. */
  bins: binsSchema.nullable(),
  /** The generation that is compared, and since when, in ms. */
  generation: z.int().nullable(),
  since: z.number(),
  /** Read, but of a time from which not all have to be logged yet; null as an earlier release left it. */
  awaited: z.array(waitingSchema).nullable().default(null),
  /** Of a block that has yet to hold enough of both sides. */
  pending: countsSchema,
  bets: betsSchema,
  /** Since the evidence was at its lowest, from which the present evidence comes. */
  lowest: z.object({ evidence: z.number(), counts: countsSchema }),
  /** All that were compared. */
  counts: countsSchema,
});
/** How the predictions of both sides are distributed, and the evidence that they differ. */
export type PredictionEvidence = z.infer<typeof predictionEvidenceSchema>;

export const noPredictions: PredictionEvidence = {
  positions: {},
  bins: null,
  generation: null,
  since: 0,
  awaited: [],
  pending: noCounts,
  bets: noBets,
  lowest: { evidence: 0, counts: noCounts },
  counts: noCounts,
};
