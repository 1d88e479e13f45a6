import { z } from "zod";
import { sentSettings } from "../../processes/sent_settings.ts";

/** Messages between a process that is to be killed and the one that watches it. */

/** The process's task: one request of a caller, or one round of a worker. */
export const deedSchema = z.discriminatedUnion("does", [
  z.strictObject({ does: z.literal("request"), request: z.record(z.string(), z.unknown()) }),
  z.strictObject({ does: z.literal("tick") }),
]);
export type Deed = z.infer<typeof deedSchema>;

const carriedErrorSchema = z.strictObject({
  code: z.string(),
  message: z.string(),
  details: z.record(z.string(), z.unknown()),
});
export type CarriedError = z.infer<typeof carriedErrorSchema>;

const replySchema = z.union([
  z.strictObject({ reply: z.int(), value: z.unknown() }),
  z.strictObject({ reply: z.int(), error: carriedErrorSchema }),
]);

/** Where the real parts find what they need; `home` is where they keep what is theirs. */
export const realToolsSchema = z.strictObject({
  home: z.string(),
  cache: z.string(),
  /** The variables by which MLflow is asked. */
  mlflow: z.record(z.string(), z.string()),
  bentoml: z.string(),
  uv: z.string(),
  envoy: z.string(),
});

const orderSchema = z.strictObject({
  order: deedSchema,
  database_url: z.string(),
  settings: z.strictObject(sentSettings),
  /** A router of the child's own, whose I/O alone is then counted; null to ask for that of the other process. */
  envoy: z.strictObject({ home: z.string(), binary: z.string() }).nullable(),
  /** All parts of the child's own but the memories; null to ask for those of the other process. */
  real: realToolsSchema.nullable(),
  /** The number of the point to die at; null to live through all of them. */
  crash_at: z.int().min(1).nullable(),
});
export type Order = z.infer<typeof orderSchema>;

export const toChildSchema = z.union([orderSchema, replySchema]);

const callSchema = z.strictObject({
  call: z.int(),
  part: z.string(),
  method: z.string(),
  values: z.array(z.unknown()),
});
export type Call = z.infer<typeof callSchema>;

const livedSchema = z.strictObject({
  /** Every point that was passed. */
  passed: z.array(z.string()),
  answer: z.unknown(),
  error: carriedErrorSchema.nullable(),
});
export type Lived = z.infer<typeof livedSchema>;

export const fromChildSchema = z.union([z.strictObject({ ready: z.literal(true) }), callSchema, livedSchema]);
