import { z } from "zod";
import { keptRowSchema } from "../../agents/model_deployer/domain/evidence/kept_rows.ts";

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

const rowAnswerSchema = z.strictObject({ status: z.int(), body: z.string() });

export const replaySchema = z.strictObject({
  model_version_id: z.string(),
  deployment_id: z.string(),
  /** The endpoint or the file whose rows were sent. */
  from: z.string(),
  sent: z.int(),
  failed: z.int(),
  rows: z.array(
    z.strictObject({
      request_id: z.string(),
      input: z.json(),
      candidate: rowAnswerSchema,
      /** Of what serves now, asked where the version answers with an error; null else. */
      baseline: rowAnswerSchema.nullable(),
    }),
  ),
});
