import { z } from "zod";
import { deploymentStatusSchema, instantSchema } from "../../agents/model_deployer/domain/entities.ts";
import { engineKindSchema } from "../../agents/model_deployer/domain/servers/engines.ts";
import {
  pauseSchema,
  rolloutStatusSchema,
  rolloutStepSchema,
} from "../../agents/model_deployer/domain/traffic/rollout.ts";
import { trafficChangeSchema } from "../../agents/model_deployer/domain/traffic/route_history.ts";
import { ingressPolicySchema } from "../../agents/model_deployer/domain/access/ingress_policy.ts";
import { countsSchema, verdictSchema } from "../../agents/model_deployer/domain/evidence/judgement.ts";

/** The output of `status --json`. */

const trafficShareSchema = z.strictObject({
  deployment_id: z.string(),
  bento_tag: z.string(),
  model_version_id: z.string(),
  weight: z.int(),
  role: z.enum(["serving", "candidate", "baseline"]),
});

export const rolloutViewSchema = z.strictObject({
  rollout_id: z.string(),
  /** The thread of the graph runs that take its steps, where a worker keeps checkpoints. */
  thread_id: z.uuid(),
  status: rolloutStatusSchema,
  step_index: z.int(),
  steps: z.array(rolloutStepSchema),
  /** When the present step has baked; null for the last step and a rollout that has ended. */
  next_step_at: instantSchema.nullable(),
  /**
   * Until when a completed rollout goes back automatically if it turns bad; null before, and when it is no longer
   * watched.
   */
  watched_until: instantSchema.nullable(),
  pause: pauseSchema.nullable(),
  verdict: verdictSchema.nullable(),
  candidate: countsSchema,
  baseline: countsSchema,
});

const serverViewSchema = z.strictObject({
  deployment_id: z.string(),
  bento_tag: z.string(),
  /** The engine that runs it; null for the usual one, from before it was written down. */
  engine: engineKindSchema.nullable().default(null),
  status: deploymentStatusSchema,
  server: z.enum(["absent", "starting", "ready", "unresponsive", "failed", "unknown"]),
  /** Each of its servers, counted from 1; empty for one alone. */
  replicas: z.array(
    z.strictObject({
      replica: z.int(),
      server: z.enum(["starting", "ready", "unresponsive", "failed"]),
      /** Null unless it answers. */
      port: z.int().nullable(),
      note: z.string().nullable(),
    }),
  ),
  /** Why it does not answer, or how busy it is; null where there is nothing to say. */
  note: z.string().nullable(),
  /** Why the model's own example got no prediction; null where it got one, or nobody asked. Nothing is stopped by it. */
  sample_failure: z.string().nullable(),
  /** Failed restarts, their reason and the time of the next one; null without any. */
  restart: z.string().nullable(),
  warm_until: instantSchema.nullable(),
});

export const operationViewSchema = z.strictObject({
  operation_id: z.string(),
  action: z.string(),
  status: z.enum(["preparing", "planned", "awaiting_approval", "carrying_out"]),
  requested_by: z.string(),
  created_at: instantSchema,
  /** When its wait for approvals ends; null for one that never waited. */
  waits_until: instantSchema.nullable(),
  summary: z.string(),
  lease_name: z.string(),
});

const endpointStatusSchema = z.strictObject({
  endpoint_name: z.string(),
  endpoint_url: z.string(),
  experiment_id: z.string(),
  generation: z.int(),
  observed_generation: z.int(),
  traffic: z.array(trafficShareSchema),
  mirror: z.strictObject({ deployment_id: z.string(), bento_tag: z.string() }).nullable(),
  rollout: rolloutViewSchema.nullable(),
  lease: z.strictObject({ holder: z.string(), since: instantSchema, expires_at: instantSchema }).nullable(),
  servers: z.array(serverViewSchema),
  operations: z.array(operationViewSchema),
  /** The change of traffic that was acknowledged last, with what the versions had answered then; null before the first. */
  last_change: trafficChangeSchema.nullable(),
  /** Who may call it and how much, and whether the router enforces it. */
  ingress: z.strictObject({
    revision: z.int(),
    /** The revision that the router enforces; null where it has none or does not answer. */
    enforced: z.int().nullable(),
    policy: ingressPolicySchema,
  }),
  /** Whether the router does what the database wants. */
  router: z.enum(["in_force", "differs", "absent", "unknown"]),
});
export type EndpointStatus = z.infer<typeof endpointStatusSchema>;

export const statusReportSchema = z.strictObject({
  now: instantSchema,
  endpoints: z.array(endpointStatusSchema),
  /** Open operations that belong to none of the endpoints. */
  operations: z.array(operationViewSchema),
  /** Long work under way on this machine: environments, artifacts and bentos, each with its progress. */
  under_way: z.array(
    z.strictObject({ what: z.string(), doing: z.string(), seconds: z.number(), limit_seconds: z.number() }),
  ),
  /** Sentences about parts that do not work as they should. */
  degraded: z.array(z.string()),
});
export type StatusReport = z.infer<typeof statusReportSchema>;
