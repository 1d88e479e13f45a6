import { z } from "zod";

const fields = z.array(z.string().min(1).max(200)).max(200);

export const keptRowSettingsSchema = z.strictObject({
  /** The share of requests whose inputs are kept, drawn by request id, so that both sides keep the same ones. */
  sample: z.number().gt(0).max(1),
  /** Rows of an endpoint that are kept at most; the oldest go. */
  most: z.int().min(1).max(10_000),
  /** Fields that are kept as `hidden`, or null where they are no text, wherever they stand in an input; `*` is all. */
  hidden: fields,
  /** Fields that are kept as a keyed hash, which tells the same value apart from another one and no more. */
  hashed: fields,
  /**
   * The fate of a deployment to production whose server answers kept rows with an error that what serves now answers
   * well: `refuse` ends it before its first share, `tell` only counts them.
   */
  on_errors: z.enum(["refuse", "tell"]),
});
/** How an experiment's policy has requests kept, with what each side answered. */
export type KeptRowSettings = z.infer<typeof keptRowSettingsSchema>;

export const usualKeptRows = { most: 1000, hidden: [], hashed: [], on_errors: "refuse" } as const;

export const rowSchema = z.strictObject({
  /** Where it was sent to, such as `/predict`. */
  path: z.string().startsWith("/").max(300),
  /** The request's body, hidden and hashed as the policy says. */
  input: z.json(),
});
export type Row = z.infer<typeof rowSchema>;

const answerSchema = z.strictObject({
  deployment_id: z.string(),
  prediction: z.json(),
  score: z.number().nullable(),
  has_failed: z.boolean(),
  answered_at: z.string(),
});

export const keptRowSchema = rowSchema.extend({ request_id: z.string(), answers: z.array(answerSchema) });
/** A request that was kept, with what each deployment answered. */
export type KeptRow = z.infer<typeof keptRowSchema>;

/** The answer to a row that was sent again. */
export interface RowAnswer {
  status: number;
  /** The answer's body, cut. */
  body: string;
}

export interface ReplayedRow {
  request_id: string;
  candidate: RowAnswer;
  /** Of what serves now; null where it was not asked. */
  baseline: RowAnswer | null;
}

export const hasFailed = ({ status }: RowAnswer): boolean => status >= 400;

/** Rows that the candidate answers with an error, and what serves now does not. */
export const turnedToErrors = (rows: readonly ReplayedRow[]): ReplayedRow[] =>
  rows.filter(({ candidate, baseline }) => hasFailed(candidate) && baseline !== null && !hasFailed(baseline));

/**
 * How far apart two answers of one row are: 2 where one failed, else the difference of scores, or 1 where the predictions
 * differ.
 */
export function apart(a: KeptRow["answers"][number], b: KeptRow["answers"][number]): number {
  if (a.has_failed !== b.has_failed) return 2;
  if (a.has_failed) return 0;
  const differ = JSON.stringify(a.prediction) === JSON.stringify(b.prediction) ? 0 : 1;
  return a.score === null || b.score === null ? differ : Math.max(Math.abs(a.score - b.score), differ);
}
