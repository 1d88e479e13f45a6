import { z } from "zod";
import {
  deploymentSchema,
  deploymentStatusSchema,
  instantSchema,
  metricsSchema,
  modelVersionSchema,
  stageSchema,
  weightSetSchema,
} from "./entities.ts";
import {
  judgeStateSchema,
  pauseSchema,
  rolloutSchema,
  rolloutStatusSchema,
  verdictSchema,
} from "./rollout.ts";

/**
 * What the database is asked to change, as data. A list of changes is applied in one transaction, whole or not at
 * all; each change that names what it saw (stage revision, generation, status) loses with a conflict if that has moved.
 */

const insertModelVersion = z.strictObject({
  change: z.literal("insert_model_version"),
  model_version: modelVersionSchema,
  algorithm: z.string().nullable(),
});

const setStage = z.strictObject({
  change: z.literal("set_stage"),
  model_version_id: z.string(),
  from: stageSchema,
  to: stageSchema,
  expected_revision: z.int().min(0),
  /** Why the stage moved: what a history row says first. */
  kind: z.enum(["promotion", "supersession", "rollback", "archival"]),
  reason: z.string(),
  changed_by: z.string(),
  metrics: metricsSchema,
  /** The evidence and policy behind the move, for whoever reads the history later. */
  evidence: z.record(z.string(), z.json()),
});

const openEndpoint = z.strictObject({
  change: z.literal("open_endpoint"),
  endpoint_name: z.string(),
  experiment_id: z.string(),
  endpoint_url: z.string(),
});

const insertDeployment = z.strictObject({
  change: z.literal("insert_deployment"),
  deployment: deploymentSchema,
});

const setDeploymentStatus = z.strictObject({
  change: z.literal("set_deployment_status"),
  deployment_id: z.string(),
  from: z.array(deploymentStatusSchema).min(1),
  to: deploymentStatusSchema,
  /** Leaves a deployment as it is that was rolled back meanwhile, instead of losing to whoever did. */
  unless_rolled_back: z.boolean().optional(),
  /** Null leaves `rollback_reason` as it is. */
  rollback_reason: z.string().nullable(),
  /** With `draining` or `rolled_back`: how long the server stays warm; sets `drain_due_at`. Null elsewhere. */
  keep_warm_seconds: z.number().min(0).nullable(),
});

/** Says when a new deployment was first served and how long that took; the same as its manifest says. */
const dateDeployment = z.strictObject({
  change: z.literal("date_deployment"),
  deployment_id: z.string(),
  deployed_at: instantSchema,
  deployment_duration_seconds: z.number().min(0),
});

/** Says that a replaced deployment's server is stopped: sets `drained_at`. */
const markDrained = z.strictObject({ change: z.literal("mark_drained"), deployment_id: z.string() });

/** What a move was decided by: figures by name, and the evidence behind them. */
const decidedBy = {
  metrics: metricsSchema.optional(),
  evidence: z.record(z.string(), z.json()).optional(),
};

const wantRoute = z.strictObject({
  change: z.literal("want_route"),
  endpoint_name: z.string(),
  expected_generation: z.int().min(0),
  weights: weightSetSchema,
  mirror_deployment_id: z.string().nullable(),
  reason: z.string(),
  ...decidedBy,
});

const observeRoute = z.strictObject({
  change: z.literal("observe_route"),
  endpoint_name: z.string(),
  generation: z.int().min(1),
});

const startRollout = z.strictObject({
  change: z.literal("start_rollout"),
  rollout: rolloutSchema,
  /** Why, for the history; it says `rollout_completed` of one that begins completed. */
  reason: z.string().optional(),
  ...decidedBy,
});

export const rolloutEventSchema = z.enum([
  "rollout_started",
  "rollout_paused",
  "rollout_resumed",
  "rollout_promoted",
  "rollout_completed",
  "rollout_rolled_back",
  "rollout_aborted",
]);
/** What a rollout's history says first. */
export type RolloutEvent = z.infer<typeof rolloutEventSchema>;

const moveRollout = z.strictObject({
  change: z.literal("move_rollout"),
  rollout_id: z.string(),
  expected_step_index: z.int().min(0),
  expected_status: z.array(rolloutStatusSchema).min(1),
  /** Leaves a rollout as it is that has come to its end meanwhile, instead of losing to whoever ended it. */
  unless_ended: z.boolean().optional(),
  status: rolloutStatusSchema,
  step_index: z.int().min(0),
  /** Null keeps the present step's start, as a held step does. */
  step_started_at: instantSchema.nullable(),
  next_tick_at: instantSchema.nullable(),
  inconclusive_looks: z.int().min(0),
  judge_state: judgeStateSchema,
  verdict: verdictSchema.nullable(),
  /** Left out or null keeps it. */
  watched_until: instantSchema.nullable().optional(),
  /** Null ends a pause; without it, a pause stays as it is. */
  pause: pauseSchema.nullable().optional(),
  /** Written into the rollout's history; without it nothing is. */
  event: z.strictObject({ kind: rolloutEventSchema, reason: z.string(), ...decidedBy }).optional(),
});

/** How often a server could not be started again, and how long it is left alone; no failures say that it answers. */
const noteRestart = z.strictObject({
  change: z.literal("note_restart"),
  deployment_id: z.string(),
  failures: z.int().min(0),
  /** Null without a failure. */
  wait_seconds: z.number().min(0).nullable(),
  last_error: z.string().nullable(),
});

const spendApproval = z.strictObject({ change: z.literal("spend_approval"), approval_id: z.string() });

const enqueue = z.strictObject({
  change: z.literal("enqueue"),
  topic: z.enum(["registry_projection", "episodic_memory", "procedural_memory"]),
  /** At most one row a key: delivered at least once, counted once. */
  dedupe_key: z.string(),
  payload: z.record(z.string(), z.json()),
});

export const changeSchema = z.discriminatedUnion("change", [
  insertModelVersion,
  setStage,
  openEndpoint,
  insertDeployment,
  setDeploymentStatus,
  dateDeployment,
  markDrained,
  noteRestart,
  wantRoute,
  observeRoute,
  startRollout,
  moveRollout,
  spendApproval,
  enqueue,
]);
export type Change = z.infer<typeof changeSchema>;
export type ChangeOf<K extends Change["change"]> = Extract<Change, { change: K }>;
