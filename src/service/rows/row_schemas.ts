import { z } from "zod";
import { keptRowSchema, rowSchema } from "../../agents/model_deployer/domain/evidence/kept_rows.ts";

/** Rows that are read or sent at most for one request. */
export const MOST_ROWS = 10_000;

export const disagreementsSchema = z.strictObject({
  endpoint_name: z.string(),
  /** Rows that are kept, and those among them that several deployments answered. */
  kept: z.int(),
  /** Why no row is kept; null where some are. */
  why_none: z.string().nullable(),
  compared: z.int(),
  /** Furthest apart first, each with its two answers. */
  disagreements: z.array(
    keptRowSchema.extend({
      /** 2 where one of them failed, else the difference of scores, or 1 where the predictions differ. */
      apart: z.number(),
    }),
  ),
});
export type Disagreements = z.infer<typeof disagreementsSchema>;

export const sentRowSchema = rowSchema.extend({
  path: rowSchema.shape.path.regex(/^[!-~]+$/, "a path of visible characters of ASCII"),
  /** By which the answer names it. */
  request_id: z.string().min(1).max(200),
});
export type SentRow = z.infer<typeof sentRowSchema>;

/** Rows to be sent to a version's server that has no traffic. */
export const replayRequestSchema = z.strictObject({
  model_version_id: z.string().min(1).max(200),
  /** The newest rows that an endpoint of the same experiment has kept, or rows of the caller's own. */
  from: z.union([
    z.strictObject({ endpoint_name: z.string().min(1).max(200) }),
    z.strictObject({ rows: z.array(sentRowSchema).min(1).max(MOST_ROWS) }),
  ]),
  /** So many are sent at most. */
  limit: z.int().min(1).max(MOST_ROWS).default(200),
});
export type ReplayRequest = z.infer<typeof replayRequestSchema>;

const rowAnswerSchema = z.strictObject({ status: z.int(), body: z.string() });

export const replaySchema = z.strictObject({
  model_version_id: z.string(),
  deployment_id: z.string(),
  /** The endpoint or the file whose rows were sent; null for rows that came with the request. */
  from: z.string().nullable(),
  /** Rows that were to be sent, and those that were: the first ones, in the same order. */
  chosen: z.int(),
  sent: z.int(),
  /** Why not all of them were sent; null where all were. */
  why_partial: z.string().nullable(),
  failed: z.int(),
  rows: z.array(
    z.strictObject({
      request_id: z.string(),
      /** As it was sent. */
      input: z.json(),
      candidate: rowAnswerSchema,
      /** Of what serves now, asked where the version answers with an error; null else. */
      baseline: rowAnswerSchema.nullable(),
    }),
  ),
});
export type Replay = z.infer<typeof replaySchema>;
