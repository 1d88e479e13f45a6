import { z } from "zod";
import { engineKindSchema } from "./servers/engines.ts";
import {
  deploymentSchema,
  deploymentStatusSchema,
  instantSchema,
  metricsSchema,
  modelVersionSchema,
  resourcesSchema,
  stageSchema,
  weightSetSchema,
} from "./entities.ts";
import { newNoticeSchema } from "./notices/notices.ts";
import { keptLookSchema } from "./evidence/kept_look.ts";
import { judgeStateSchema, verdictSchema } from "./evidence/judgement.ts";
import { pauseSchema, rolloutSchema, rolloutStatusSchema } from "./traffic/rollout.ts";

/**
 * Changes of the database, as data. A list of changes is applied in one transaction, whole or not at all; a change
 * whose expectation (stage revision, generation, status) no longer holds fails with a conflict.
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
  /** Why the stage moved, as the history row names it. */
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
  /** The engine whose router it is opened at; left out for one that was open, and for the usual one. */
  engine: engineKindSchema.optional(),
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
  /** Skips the change where somebody has ended or replaced the deployment meanwhile, instead of failing with a conflict. */
  unless_ended: z.boolean().optional(),
  /** The same, in plans that an earlier version wrote. */
  unless_rolled_back: z.boolean().optional(),
  /** Null leaves `rollback_reason` as it is. */
  rollback_reason: z.string().nullable(),
  /** With `draining` or `rolled_back`: how long the server stays warm; sets `drain_due_at`. Null elsewhere. */
  keep_warm_seconds: z.number().min(0).nullable(),
});

/** Records when a new deployment was first served and how long that took, as its manifest says. */
const dateDeployment = z.strictObject({
  change: z.literal("date_deployment"),
  deployment_id: z.string(),
  deployed_at: instantSchema,
  deployment_duration_seconds: z.number().min(0),
});

/** Records that a replaced deployment's server is stopped: sets `drained_at`. */
const markDrained = z.strictObject({ change: z.literal("mark_drained"), deployment_id: z.string() });

/** Keeps a server that was to be stopped: what was seen of it holds until it serves. */
const callOffDrain = z.strictObject({
  change: z.literal("call_off_drain"),
  deployment_id: z.string(),
  /** Whether its server had been stopped already. */
  was_drained: z.boolean(),
});

/** Has a server stopped after all whose drain was called off; leaves one that serves as it is. */
const resumeDrain = z.strictObject({
  change: z.literal("resume_drain"),
  deployment_id: z.string(),
  due_at: instantSchema.nullable(),
});

/** The figures that decided a move, by name, and the evidence behind them. */
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
  /** The reason, for the history; the event is `rollout_completed` where the rollout begins completed. */
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
export type RolloutEvent = z.infer<typeof rolloutEventSchema>;

const moveRollout = z.strictObject({
  change: z.literal("move_rollout"),
  rollout_id: z.string(),
  expected_step_index: z.int().min(0),
  expected_status: z.array(rolloutStatusSchema).min(1),
  /** Skips the change where the rollout has ended meanwhile, instead of failing with a conflict. */
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
  /** Kept, so that it can be judged again; left out or null where it is not. */
  look: keptLookSchema.nullable().optional(),
  /** Written into the rollout's history; without it nothing is. */
  event: z.strictObject({ kind: rolloutEventSchema, reason: z.string(), ...decidedBy }).optional(),
});

/** Other replicas, limits or autoscaling of a deployment than were seen. */
const setResources = z.strictObject({
  change: z.literal("set_resources"),
  deployment_id: z.string(),
  expected: resourcesSchema,
  resources: resourcesSchema,
});

/** Failed restarts of a server, and how long the next one waits; none mean that it answers. */
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
  /** One row for each key: delivered at least once, counted once. */
  dedupe_key: z.string(),
  payload: z.record(z.string(), z.json()),
});

/** Told to each sink that asks for it, once for each id. */
const notify = z.strictObject({ change: z.literal("notify"), notice: newNoticeSchema });

export const changeSchema = z.discriminatedUnion("change", [
  insertModelVersion,
  setStage,
  openEndpoint,
  insertDeployment,
  setDeploymentStatus,
  dateDeployment,
  markDrained,
  callOffDrain,
  resumeDrain,
  setResources,
  noteRestart,
  wantRoute,
  observeRoute,
  startRollout,
  moveRollout,
  spendApproval,
  enqueue,
  notify,
]);
export type Change = z.infer<typeof changeSchema>;
export type ChangeOf<K extends Change["change"]> = Extract<Change, { change: K }>;
