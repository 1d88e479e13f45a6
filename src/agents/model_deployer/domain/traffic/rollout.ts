import { z } from "zod";
import { instantSchema, weightSetSchema } from "../entities.ts";
import {
  judgeSettingsSchema,
  judgeStateSchema,
  type JudgeSettings,
  verdictSchema,
} from "../evidence/judgement.ts";

export const rolloutStepSchema = z.strictObject({
  /** The candidate's share, whole percents. */
  weight: z.int().min(1).max(100),
  /** How long the step is watched before the next one may begin. */
  bake_seconds: z.number().min(0).max(604_800),
});

export type RolloutStep = z.infer<typeof rolloutStepSchema>;

export const rolloutStatusSchema = z.enum(["running", "paused", "completed", "rolled_back", "aborted"]);

/** Whether the rollout may still move. An ended one starts anew only by a retry, as another rollout. */
export const isRolloutOpen = ({ status }: { status: z.infer<typeof rolloutStatusSchema> }): boolean =>
  status === "running" || status === "paused";

/** Whether an open rollout is being rolled back: nobody looks at it, whoever may have paused it before. */
export const isGoingBack = (rollout: Pick<Rollout, "status" | "next_tick_at">): boolean =>
  rollout.status === "paused" && rollout.next_tick_at === null;

/** Whether an open rollout's step is in force with no traffic for its candidate, as a way back that failed leaves it. */
export const hasLostShare = (
  { deployment_id: id }: Pick<Rollout, "deployment_id">,
  endpoint: { weights: Record<string, number> } | null,
): boolean => (endpoint?.weights[id] ?? 0) === 0;

/** Who stopped a rollout's steps, why and since when. A paused rollout is judged all the same. */
export const pauseSchema = z.strictObject({ by: z.string(), reason: z.string(), since: instantSchema });

export type Pause = z.infer<typeof pauseSchema>;

export const rolloutSchema = z.strictObject({
  rollout_id: z.string(),
  endpoint_name: z.string(),
  experiment_id: z.string(),
  deployment_id: z.string(),
  baseline_deployment_id: z.string(),
  status: rolloutStatusSchema,
  steps: z.array(rolloutStepSchema).min(1),
  /** The steps as they were asked for, which caution may have changed; null in old rows. A retry begins from them. */
  asked_steps: z.array(rolloutStepSchema).min(1).nullable().default(null),
  /** Index of the step that is in force. */
  step_index: z.int().min(0),
  step_started_at: instantSchema,
  next_tick_at: instantSchema.nullable(),
  inconclusive_looks: z.int().min(0),
  judge: judgeSettingsSchema,
  judge_state: judgeStateSchema,
  verdict: verdictSchema.nullable(),
  /**
   * Until when a completed rollout is judged and may be rolled back automatically; null before its completion, and
   * without a watch.
   */
  watched_until: instantSchema.nullable().default(null),
  /**
   * Null unless somebody has paused it; during a rollback a rollout is `paused` without a pause and without a next
   * tick.
   */
  pause: pauseSchema.nullable().default(null),
});

export type Rollout = z.infer<typeof rolloutSchema>;

export const routeSchema = z.strictObject({
  endpoint_name: z.string(),
  generation: z.int().min(0),
  weights: weightSetSchema,
  mirror_deployment_id: z.string().nullable(),
});

/** The route of one endpoint as a router is told it. */
export type Route = z.infer<typeof routeSchema>;

export interface RolloutPlan {
  steps: RolloutStep[];
  judge: JudgeSettings;
}

/** A sentence about wrong steps; null when they are valid. */
export function refuseSteps(steps: readonly RolloutStep[]): string | null {
  const weights = steps.map((step) => step.weight);
  if (weights.at(-1) !== 100) return `the last step must have weight 100, not ${weights.at(-1)}`;
  const fallsAt = weights.findIndex((weight, index) => index > 0 && weight <= (weights[index - 1] ?? 0));
  return fallsAt === -1 ? null : `weights must rise, and step ${fallsAt + 1} (${weights[fallsAt]}) does not`;
}
