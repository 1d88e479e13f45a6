import { z } from "zod";

export const episodeSchema = z.strictObject({
  dedupe_key: z.string(),
  event_type: z.literal("agent_action"),
  event_subtype: z.enum([
    "registration",
    "deployment",
    "promotion",
    "rollback",
    "removal",
    "restart",
    "update",
    "rollout_step",
    "rollout_control",
    "refusal",
    "failure",
  ]),
  description: z.string(),
  raw_content: z.record(z.string(), z.unknown()),
  experiment_id: z.string().nullable(),
  endpoint_name: z.string().nullable(),
  outcome_type: z.enum(["success", "partial_success", "failure", "pending", "escalated"]),
  outcome_details: z.record(z.string(), z.unknown()),
  occurred_at: z.string(),
});
/** One event as episodic memory keeps it, in the pipeline's own words. */
export type Episode = z.infer<typeof episodeSchema>;
