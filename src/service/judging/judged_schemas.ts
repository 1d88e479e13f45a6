import { z } from "zod";
import { instantSchema } from "../../agents/model_deployer/domain/entities.ts";
import {
  askedJudgeSettingsSchema,
  judgeSettingsSchema,
  verdictSchema,
} from "../../agents/model_deployer/domain/evidence/judgement.ts";
import {
  rolloutStatusSchema,
  rolloutStepSchema,
} from "../../agents/model_deployer/domain/traffic/rollout.ts";

/** A rollout to be judged again, under its own settings with these over them. */
export const judgedRequestSchema = z.strictObject({
  /** A rollout, or an endpoint for its last one. */
  target: z.string().min(1).max(200),
  settings: askedJudgeSettingsSchema.default({}),
});
export type JudgedRequest = z.infer<typeof judgedRequestSchema>;

const reportedLookSchema = z.strictObject({
  looked_at: instantSchema,
  step_index: z.int(),
  /** The candidate's part of the traffic of both sides, between 0 and 1. */
  share: z.number(),
  /** The verdict of that look. */
  then: z.strictObject({ outcome: verdictSchema.shape.outcome, reason: z.string() }),
  /** The verdict under the settings asked for. */
  verdict: verdictSchema,
});
export type ReportedLook = z.infer<typeof reportedLookSchema>;

export const judgedReportSchema = z.strictObject({
  rollout_id: z.string(),
  endpoint_name: z.string(),
  status: rolloutStatusSchema,
  steps: z.array(rolloutStepSchema),
  /** The settings that the rollout has, and those that it is judged by here. */
  settled_by: judgeSettingsSchema,
  settings: judgeSettingsSchema,
  /** Oldest first. */
  looks: z.array(reportedLookSchema),
});
export type JudgedReport = z.infer<typeof judgedReportSchema>;
