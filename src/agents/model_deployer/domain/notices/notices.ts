import { z } from "zod";
import { instantSchema, metricsSchema } from "../entities.ts";

/** The events that a team can be told of. */
export const NOTICE_KINDS = [
  "approval_waits",
  "approval_expires",
  "rollout_started",
  "step_taken",
  "challenge",
  "verdict",
  "controlled",
  "inconclusive",
  "promoted",
  "rolled_back",
  "operation_failed",
  "degraded",
  "drift",
  "disk",
  "certificate",
  "sink_down",
  "trial",
] as const;
export const noticeKindSchema = z.enum(NOTICE_KINDS);
export type NoticeKind = z.infer<typeof noticeKindSchema>;

/** One thing that happened, as every sink is told it. */
export const noticeSchema = z.strictObject({
  /** The same event has the same id whoever sees it, and however often it is delivered. */
  event_id: z.string(),
  kind: noticeKindSchema,
  /** `act`: somebody has to do something. */
  severity: z.enum(["info", "warning", "act"]),
  occurred_at: instantSchema,
  experiment_id: z.string().nullable(),
  endpoint_name: z.string().nullable(),
  /** One sentence about what happened. */
  title: z.string(),
  /** Why, in sentences; empty where the title says it. */
  reason: z.string(),
  /** The principal or part that did it. */
  by: z.string(),
  /** The figures that decided it, by name. */
  numbers: metricsSchema,
  operation_id: z.string().nullable(),
  rollout_id: z.string().nullable(),
  /** The command that goes on from here; null where nothing has to be done. */
  command: z.string().nullable(),
});
export type Notice = z.infer<typeof noticeSchema>;

/** A notice that is dated when it is written down. */
export const newNoticeSchema = noticeSchema.omit({ occurred_at: true });
export type NewNotice = z.infer<typeof newNoticeSchema>;
