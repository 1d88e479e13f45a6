import { z } from "zod";
import { instantSchema, weightSetSchema } from "./entities.ts";

export const rolloutStepSchema = z.strictObject({
  /** The candidate's share, whole percents. */
  weight: z.int().min(1).max(100),
  /** How long the step is watched before the next one may begin. */
  bake_seconds: z.number().min(0).max(604_800),
});
export type RolloutStep = z.infer<typeof rolloutStepSchema>;

export const judgeSettingsSchema = z.strictObject({
  /** Probability of a false alarm over the whole rollout, at any number of looks. */
  alpha: z.number().gt(0).max(0.1),
  /** Answers of the candidate below which no verdict but a hard failure is given. */
  minimum_samples: z.int().min(1),
  /** A higher error rate that is smaller than this difference (a fraction) is no reason to fail. */
  effect_floor: z.number().min(0).max(0.1),
  /** So many failures with no success among them fail the candidate at once. */
  failures_in_a_row: z.int().min(1).max(50),
  /** Looks without enough evidence at one step before the rollout gives up. */
  maximum_inconclusive_looks: z.int().min(1),
});
export type JudgeSettings = z.infer<typeof judgeSettingsSchema>;

/** Counts since the version got its first request from this endpoint; they only grow within one `epoch`. */
export const versionFiguresSchema = z.strictObject({
  deployment_id: z.string(),
  /** Names the life of the counters: another epoch means that they began at zero again. */
  epoch: z.string(),
  requests: z.int().min(0),
  /** Answers of status 5xx, resets and timeouts. */
  errors: z.int().min(0),
  p50_ms: z.number().nullable(),
  p99_ms: z.number().nullable(),
});
export type VersionFigures = z.infer<typeof versionFiguresSchema>;

const tallySchema = z.strictObject({ requests: z.int().min(0), errors: z.int().min(0) });
/** Answers and failures of one side since the rollout began. */
export type Tally = z.infer<typeof tallySchema>;

const sinceLowestSchema = z.strictObject({
  /** The lowest logarithm of the e-value so far. */
  log_e: z.number(),
  candidate: tallySchema,
  baseline: tallySchema,
});

export const nothingSinceLowest: z.infer<typeof sinceLowestSchema> = {
  log_e: 0,
  candidate: { requests: 0, errors: 0 },
  baseline: { requests: 0, errors: 0 },
};

/** What the judge carries from one look to the next. */
export const judgeStateSchema = z.strictObject({
  /** Natural logarithm of the e-value so far. */
  log_e: z.number(),
  candidate: tallySchema,
  baseline: tallySchema,
  /** Answers and failures since the e-value was at its lowest; states that were stored without it begin it anew. */
  since_lowest: sinceLowestSchema.default(nothingSinceLowest),
  /** The counters as they were read at the last look. */
  last_figures: z.array(versionFiguresSchema),
  /** Failures of the candidate since its last success, as far as the looks can tell. */
  failures_in_a_row: z.int().min(0),
});
export type JudgeState = z.infer<typeof judgeStateSchema>;

export const verdictSchema = z.strictObject({
  outcome: z.enum(["pass", "fail", "inconclusive"]),
  /** One sentence with the numbers that decided. */
  reason: z.string(),
  candidate: tallySchema,
  baseline: tallySchema,
  /** Evidence against "the candidate is no worse": the e-value; at 1/alpha it fails. */
  e_value: z.number().nullable(),
});
export type Verdict = z.infer<typeof verdictSchema>;

export const rolloutStatusSchema = z.enum(["running", "paused", "completed", "rolled_back", "aborted"]);

export const pauseSchema = z.strictObject({ by: z.string(), reason: z.string(), since: instantSchema });
/** Who stopped a rollout's steps, why and since when. A paused rollout is judged all the same. */
export type Pause = z.infer<typeof pauseSchema>;

export const rolloutSchema = z.strictObject({
  rollout_id: z.string(),
  endpoint_name: z.string(),
  experiment_id: z.string(),
  deployment_id: z.string(),
  baseline_deployment_id: z.string(),
  status: rolloutStatusSchema,
  steps: z.array(rolloutStepSchema).min(1),
  /** Index of the step that is in force. */
  step_index: z.int().min(0),
  step_started_at: instantSchema,
  next_tick_at: instantSchema.nullable(),
  inconclusive_looks: z.int().min(0),
  judge: judgeSettingsSchema,
  judge_state: judgeStateSchema,
  verdict: verdictSchema.nullable(),
  /** Null unless somebody has paused it; one that is being rolled back is `paused` without it and without a next tick. */
  pause: pauseSchema.nullable().default(null),
});
export type Rollout = z.infer<typeof rolloutSchema>;

export const routeSchema = z.strictObject({
  endpoint_name: z.string(),
  generation: z.int().min(0),
  weights: weightSetSchema,
  mirror_deployment_id: z.string().nullable(),
});
/** What a router is asked to do for one endpoint. */
export type Route = z.infer<typeof routeSchema>;
