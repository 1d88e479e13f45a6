import { z } from "zod";
import { instantSchema } from "../entities.ts";
import { noticeKindSchema } from "./notices.ts";

export const sinkKindSchema = z.enum(["webhook", "slack", "teams", "email"]);

/** Who is told, and of what. */
export const sinkRuleSchema = z.strictObject({
  /** Empty: of every kind. */
  kinds: z.array(noticeKindSchema),
  /** Empty: of every experiment, and of what concerns none. */
  experiment_ids: z.array(z.string()),
});

/** Where a notice goes, as far as it may be shown: the host of an address, whose path is often a secret. */
export const sinkTargetSchema = z.discriminatedUnion("kind", [
  /** CloudEvents over HTTP, signed by the secret as Standard Webhooks are. */
  z.strictObject({ kind: z.literal("webhook"), host: z.string() }),
  z.strictObject({ kind: z.literal("slack"), host: z.string() }),
  z.strictObject({ kind: z.literal("teams"), host: z.string() }),
  z.strictObject({ kind: z.literal("email"), to: z.array(z.string()).min(1) }),
]);

/** A sink's secrets, as a `SecretKeeper` keeps it: sealed, or a reference. */
export const sinkSecretsSchema = z.strictObject({
  address: z.string().optional(),
  /** The key that signs a webhook's messages. */
  secret: z.string().optional(),
});
export type SinkSecrets = z.infer<typeof sinkSecretsSchema>;

/** 24 random bytes or more, in the form of Standard Webhooks. */
export const signingSecretPattern = /^whsec_[A-Za-z0-9+/]{32,}={0,2}$/;

/** Where each of a sink's secrets belongs: what is sealed for one is opened for no other. */
export const placeOf = (sinkName: string, part: keyof SinkSecrets): string => `sink/${sinkName}/${part}`;

export const sinkNameSchema = z
  .string()
  .regex(/^[a-z0-9][a-z0-9_-]{0,62}$/, "at most 63 of a-z, 0-9, _ and -, such as team-slack");

const sinkSettingsSchema = z.strictObject({
  sink_name: sinkNameSchema,
  target: sinkTargetSchema,
  ...sinkRuleSchema.shape,
  /** Whether it may be at a private address of this network; link-local ones are never asked. */
  may_be_inside: z.boolean(),
});

export interface NewSink extends z.infer<typeof sinkSettingsSchema> {
  /** Secrets that are left out stay, where the sink is of the same kind as before. */
  secrets: SinkSecrets;
}

/** A sink with all that sending to it takes. */
export const sendableSinkSchema = sinkSettingsSchema
  .pick({ sink_name: true, target: true, may_be_inside: true })
  .extend({ secrets: sinkSecretsSchema });
export type SendableSink = z.infer<typeof sendableSinkSchema>;

export const sinkSchema = sinkSettingsSchema.extend({
  set_by: z.string(),
  set_at: instantSchema,
  /** Since when it does not take what it is sent; null while it does. */
  failing_since: instantSchema.nullable(),
  failures: z.int().min(0),
  last_error: z.string().nullable(),
  last_delivered_at: instantSchema.nullable(),
  /** Notices that it has yet to take. */
  waiting: z.int().min(0),
  /** Notices that it refused for good: they wait for somebody. */
  set_aside: z.int().min(0),
});
export type Sink = z.infer<typeof sinkSchema>;
