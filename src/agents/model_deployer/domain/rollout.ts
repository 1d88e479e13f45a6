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
  /** Probability of a false alarm over the whole rollout, at any number of looks: for errors, and again for latency. */
  alpha: z.number().gt(0).max(0.1),
  /** Answers of the candidate that each step needs before it may pass. */
  minimum_samples: z.int().min(1),
  /** A higher error rate that is smaller than this difference (a fraction) is no reason to fail. */
  effect_floor: z.number().min(0).max(0.1),
  /**
   * So many failures with no success among them fail the candidate at once. Runs of 5, the usual value, are counted by
   * the router in their order; of another length only those are seen that fill a look.
   */
  failures_in_a_row: z.int().min(1).max(50),
  /** Looks without enough evidence at one step before `when_inconclusive` comes in, though not before the step is baked. */
  maximum_inconclusive_looks: z.int().min(1),
  /** What becomes of a rollout that stays inconclusive for too long; it never goes on. */
  when_inconclusive: z.enum(["roll_back", "pause"]).default("roll_back"),
  /** A p99 beyond so many times the baseline's fails; null leaves latency out. */
  maximum_latency_ratio: z.number().gt(1).max(100).nullable().default(2),
  /** A p99 that is higher by less than this is no reason to fail, whatever the ratio. */
  latency_floor_ms: z.number().min(0).max(60_000).default(10),
});
export type JudgeSettings = z.infer<typeof judgeSettingsSchema>;

/** Upper bounds, in milliseconds, of the bins that answers are counted in by how long they took. */
export const LATENCY_BOUNDS_MS: readonly number[] = [
  1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 50, 60, 80, 100, 120, 150, 200, 250, 300, 400, 500, 600,
  800, 1000, 1200, 1500, 2000, 2500, 3000, 4000, 5000, 6000, 8000, 10_000, 12_000, 15_000,
];
/** Answers by bin: one entry for each bound, and the last for what took longer than all of them. */
const latencyCountsSchema = z.array(z.int().min(0)).max(LATENCY_BOUNDS_MS.length + 1);

/** Failures in a row that a router counts as one run. */
export const RUN_OF_FAILURES = 5;

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
  /** How often `RUN_OF_FAILURES` failures came in a row, in the order of the answers; left out by a router that can't tell. */
  failure_runs: z.int().min(0).optional(),
  /** Answers by `LATENCY_BOUNDS_MS`; left out by a router that can't tell. */
  latency_counts: latencyCountsSchema.optional(),
});
export type VersionFigures = z.infer<typeof versionFiguresSchema>;

const tallySchema = z.strictObject({ requests: z.int().min(0), errors: z.int().min(0) });
/** Answers and failures of one side since the rollout began. */
export type Tally = z.infer<typeof tallySchema>;

const nothing: Tally = { requests: 0, errors: 0 };

/** Older answers weigh less in it, so it counts in fractions. */
const weightedTallySchema = z.strictObject({ requests: z.number().min(0), errors: z.number().min(0) });

const sinceLowestSchema = z.strictObject({
  /** The lowest logarithm of the e-value so far. */
  log_e: z.number(),
  candidate: tallySchema,
  baseline: tallySchema,
});

export const nothingSinceLowest: z.infer<typeof sinceLowestSchema> = {
  log_e: 0,
  candidate: nothing,
  baseline: nothing,
};

/** What the judge carries from one look to the next. States that were stored without a later part begin it anew. */
export const judgeStateSchema = z.strictObject({
  /** Natural logarithm of the e-value so far. */
  log_e: z.number(),
  candidate: tallySchema,
  baseline: tallySchema,
  /** What the next bets are made by: the newest answers of each side, the baseline's from before the rollout too. */
  recent: z
    .strictObject({ candidate: weightedTallySchema, baseline: weightedTallySchema })
    .default({ candidate: nothing, baseline: nothing }),
  /** Answers and failures since the e-value was at its lowest. */
  since_lowest: sinceLowestSchema.default(nothingSinceLowest),
  /** Answers of the candidate since the step in force began. */
  step_samples: z.int().min(0).default(0),
  /** Answers by `LATENCY_BOUNDS_MS` since the rollout began; empty while the router tells none. */
  latency: z
    .strictObject({ candidate: latencyCountsSchema, baseline: latencyCountsSchema })
    .default({ candidate: [], baseline: [] }),
  /** The counters as they were read at the last look. */
  last_figures: z.array(versionFiguresSchema),
  /** Failures of the candidate since its last success, as far as the looks can tell. */
  failures_in_a_row: z.int().min(0),
  /** Runs of `RUN_OF_FAILURES` failures of the candidate since the rollout began, as the router counted them. */
  failure_runs: z.int().min(0).default(0),
});
export type JudgeState = z.infer<typeof judgeStateSchema>;

const latencyBandsSchema = z.strictObject({
  /** The candidate's p99 is above this beyond doubt; null while that can't be told of any bound. */
  candidate_p99_above_ms: z.number().nullable(),
  /** The baseline's p99 is at most this beyond doubt; null likewise. */
  baseline_p99_at_most_ms: z.number().nullable(),
});
export type LatencyBands = z.infer<typeof latencyBandsSchema>;

export const verdictSchema = z.strictObject({
  outcome: z.enum(["pass", "fail", "inconclusive"]),
  /** One sentence with the numbers that decided. */
  reason: z.string(),
  candidate: tallySchema,
  baseline: tallySchema,
  /** Evidence against "the candidate is no worse": the e-value; at 1/alpha it fails. */
  e_value: z.number().nullable(),
  /** Null where latency is not judged. */
  latency: latencyBandsSchema.nullable().default(null),
});
export type Verdict = z.infer<typeof verdictSchema>;

export const rolloutStatusSchema = z.enum(["running", "paused", "completed", "rolled_back", "aborted"]);

/** It may still move. One that has ended begins again by a retry only, as another rollout. */
export const isRolloutOpen = ({ status }: { status: z.infer<typeof rolloutStatusSchema> }): boolean =>
  status === "running" || status === "paused";

/** Who stopped a rollout's steps, why and since when. A paused rollout is judged all the same. */
export const pauseSchema = z.strictObject({ by: z.string(), reason: z.string(), since: instantSchema });

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
  /** Until when a completed one is judged and may be rolled back by itself; null before that, and without it. */
  watched_until: instantSchema.nullable().default(null),
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
