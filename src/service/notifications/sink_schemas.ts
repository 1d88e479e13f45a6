import { z } from "zod";
import { instantSchema } from "../../agents/model_deployer/domain/entities.ts";
import { noticeKindSchema } from "../../agents/model_deployer/domain/notices/notices.ts";
import {
  type Sink,
  sinkKindSchema,
  sinkRuleSchema,
} from "../../agents/model_deployer/domain/notices/notification_sinks.ts";

const LONGEST = 4096;
/** `env:NAME` and `file:/path` refer to a secret where the deployer runs; anything else is sealed. */
const secretTextSchema = z.string().min(1).max(LONGEST);
const addressed = (kind: "webhook" | "slack" | "teams") =>
  z.strictObject({ kind: z.literal(kind), address: secretTextSchema });

/** A sink's settings; those that are left out stay as they are. */
export const sinkRequestSchema = z.strictObject({
  to: z
    .discriminatedUnion("kind", [
      addressed("webhook"),
      addressed("slack"),
      addressed("teams"),
      z.strictObject({ kind: z.literal("email"), to: z.array(z.email()).min(1).max(100) }),
    ])
    .optional(),
  /** Signs a webhook's messages; one is made, and shown once, where it is left out. */
  secret: secretTextSchema.optional(),
  kinds: sinkRuleSchema.shape.kinds.optional(),
  experiment_ids: sinkRuleSchema.shape.experiment_ids.optional(),
  may_be_inside: z.boolean().optional(),
});
export type SinkRequest = z.infer<typeof sinkRequestSchema>;

const sinkViewSchema = z.strictObject({
  sink_name: z.string(),
  kind: sinkKindSchema,
  /** The host of an address, whose path is often a secret; or the mailboxes. */
  to: z.string(),
  kinds: z.array(noticeKindSchema),
  experiment_ids: z.array(z.string()),
  may_be_inside: z.boolean(),
  set_by: z.string(),
  set_at: instantSchema,
  waiting: z.int(),
  /** Notices that it refused for good. */
  set_aside: z.int(),
  failing_since: instantSchema.nullable(),
  failures: z.int(),
  last_error: z.string().nullable(),
  last_delivered_at: instantSchema.nullable(),
});

export const sinksReportSchema = z.strictObject({ sinks: z.array(sinkViewSchema) });
export const sinkReportSchema = z.strictObject({
  sink: sinkViewSchema,
  /** The secret that signs a webhook's messages, shown when it is made and never again; null elsewhere. */
  secret: z.string().nullable(),
});
export const sinkTrialSchema = z.strictObject({ sink_name: z.string(), event_id: z.string() });
export const retriedSinkSchema = z.strictObject({ sink_name: z.string(), notices: z.int() });
export const removedSinkSchema = z.strictObject({ sink_name: z.string() });

/** Without what is secret of it. */
export function sinkView({ target, ...sink }: Sink): z.infer<typeof sinkViewSchema> {
  const to = target.kind === "email" ? target.to.join(", ") : target.host;
  return { ...sink, kind: target.kind, to };
}
