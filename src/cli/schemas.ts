import { z } from "zod";
import { deploymentManifestSchema, versionRecordSchema } from "../agents/model_deployer/domain/answer.ts";
import {
  deploymentSchema,
  deploymentStatusSchema,
  experimentSchema,
  gatePolicySchema,
  instantSchema,
  metricsSchema,
  modelVersionSchema,
  stageSchema,
} from "../agents/model_deployer/domain/entities.ts";
import { planDifferenceSchema } from "../agents/model_deployer/domain/plan_difference.ts";
import { unmetCriterionSchema } from "../agents/model_deployer/domain/plan.ts";
import {
  pauseSchema,
  rolloutStatusSchema,
  rolloutStepSchema,
  verdictSchema,
} from "../agents/model_deployer/domain/rollout.ts";

/**
 * What `--json` prints: one document, `{ schema_version, command, data }` or `{ schema_version, command, error, exit_code }`.
 * A field is added without notice; one that goes away or changes its meaning raises the version.
 */
export const SCHEMA_VERSION = 1;

export const errorViewSchema = z.strictObject({
  /** An error's stable code, such as `production_criteria_not_met`; `unexpected` for what is none of ours. */
  code: z.string(),
  message: z.string(),
  retryable: z.boolean(),
  /** It was decided against, and the message names the way out; false where something got in its way. */
  refused: z.boolean(),
  unmet: z.array(unmetCriterionSchema),
  operation_id: z.string().nullable(),
  problems: z.array(z.string()),
});

export const planReportSchema = z.strictObject({
  summary: z.string(),
  differences: z.array(planDifferenceSchema),
  steps: z.array(z.string()),
  approvals_needed: z.int(),
  generation: z.int(),
  notes: z.array(z.string()),
  /** What the differences' ids are called by a person; a terminal shows those instead. */
  names: z.record(z.string(), z.string()),
});

export const applyReportSchema = z.strictObject({
  status: z.enum(["completed", "in_progress", "declined"]),
  operation_id: z.string().nullable(),
  deployment_manifest: deploymentManifestSchema.nullable(),
  version_record: versionRecordSchema.nullable(),
  rollback_successful: z.boolean().nullable(),
  active_deployment_id: z.string().nullable(),
  warnings: z.array(z.string()),
  degraded: z.array(z.string()),
  seconds: z.number(),
});
export type ApplyReport = z.infer<typeof applyReportSchema>;

/** How an operation that was left came to its end; what it answered with where it was completed. */
export const resumptionReportSchema = applyReportSchema.extend({
  status: z.enum(["completed", "undone", "refused"]),
  action: z.string(),
  /** What is done now, or why it is not. */
  reason: z.string(),
});
export type ResumptionReport = z.infer<typeof resumptionReportSchema>;

const trafficShareSchema = z.strictObject({
  deployment_id: z.string(),
  bento_tag: z.string(),
  model_version_id: z.string(),
  weight: z.int(),
  role: z.enum(["serving", "candidate", "baseline"]),
});

const rolloutViewSchema = z.strictObject({
  rollout_id: z.string(),
  /** Of the graph runs that take its steps, where a worker keeps checkpoints. */
  thread_id: z.uuid(),
  status: rolloutStatusSchema,
  step_index: z.int(),
  steps: z.array(rolloutStepSchema),
  /** When the step in force has been watched for long enough; null for the last step and a rollout that has ended. */
  next_step_at: instantSchema.nullable(),
  /** Until when a completed one goes back by itself if it turns bad; null before, and when nobody watches it any more. */
  watched_until: instantSchema.nullable(),
  pause: pauseSchema.nullable(),
  verdict: verdictSchema.nullable(),
  candidate: z.strictObject({ requests: z.int(), errors: z.int() }),
  baseline: z.strictObject({ requests: z.int(), errors: z.int() }),
});

const serverViewSchema = z.strictObject({
  deployment_id: z.string(),
  bento_tag: z.string(),
  status: deploymentStatusSchema,
  server: z.enum(["absent", "starting", "ready", "unresponsive", "failed", "unknown"]),
  /** Why it does not answer, or how much it has to do; null where there is nothing to say. */
  note: z.string().nullable(),
  warm_until: instantSchema.nullable(),
});

const operationViewSchema = z.strictObject({
  operation_id: z.string(),
  action: z.string(),
  status: z.enum(["planned", "awaiting_approval", "carrying_out"]),
  requested_by: z.string(),
  created_at: instantSchema,
  summary: z.string(),
  lease_name: z.string(),
});

export const endpointStatusSchema = z.strictObject({
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
  last_change: z
    .strictObject({
      occurred_at: instantSchema,
      changed_by: z.string(),
      reason: z.string(),
      metrics: metricsSchema,
    })
    .nullable(),
  /** Whether the router does what the database wants. */
  router: z.enum(["in_force", "differs", "absent", "unknown"]),
});
export type EndpointStatus = z.infer<typeof endpointStatusSchema>;

export const statusReportSchema = z.strictObject({
  now: instantSchema,
  endpoints: z.array(endpointStatusSchema),
  /** Open operations that belong to none of the endpoints. */
  operations: z.array(operationViewSchema),
  /** Parts that do not do what they should, as sentences. */
  degraded: z.array(z.string()),
});
export type StatusReport = z.infer<typeof statusReportSchema>;

export const approvalReportSchema = z.strictObject({
  approval_id: z.string().nullable(),
  approver: z.string().nullable(),
  operation_id: z.string(),
  action: z.string(),
  requested_by: z.string(),
  summary: z.string(),
  approved: z.boolean(),
});

export const revocationReportSchema = z.strictObject({
  operation_id: z.string(),
  revoked: z.array(
    z.strictObject({ approval_id: z.string(), operation_id: z.string(), approver: z.string() }),
  ),
});

export const historyReportSchema = z.strictObject({
  subject: z.string(),
  experiment_id: z.string(),
  /** With `--at`: what each of the experiment's endpoints sent its traffic to at that instant. */
  at: z
    .strictObject({
      instant: instantSchema,
      traffic: z.array(
        z.strictObject({ endpoint_name: z.string(), model_version_id: z.string(), weight: z.number() }),
      ),
    })
    .nullable(),
  events: z.array(
    z.strictObject({
      kind: z.string(),
      occurred_at: instantSchema,
      model_version_id: z.string().nullable(),
      from_stage: stageSchema.nullable(),
      to_stage: stageSchema.nullable(),
      endpoint_name: z.string().nullable(),
      generation: z.int().nullable(),
      from_weights: z.record(z.string(), z.number()).nullable(),
      weights: z.record(z.string(), z.number()).nullable(),
      rollout_id: z.string().nullable(),
      changed_by: z.string(),
      reason: z.string(),
      metrics: metricsSchema,
      /** What else it was decided by: the gate's policy, the shadow's figures, a judge's verdict. */
      evidence: z.record(z.string(), z.unknown()),
    }),
  ),
  /** What episodic memory holds, newest first; empty where it does not answer, and `degraded` says so. */
  episodes: z.array(
    z.strictObject({
      occurred_at: z.string(),
      what: z.string(),
      outcome: z.string(),
      description: z.string(),
    }),
  ),
  versions: z.record(z.string(), z.string()),
  degraded: z.array(z.string()),
});
export type HistoryReport = z.infer<typeof historyReportSchema>;

export const checkSchema = z.strictObject({
  part: z.string(),
  state: z.enum(["ok", "degraded", "down"]),
  found: z.string(),
  /** What to do; null where nothing is to be done. */
  advice: z.string().nullable(),
});
export type Check = z.infer<typeof checkSchema>;

export const doctorReportSchema = z.strictObject({
  state: z.enum(["ok", "degraded", "down"]),
  checks: z.array(checkSchema),
  /** Secrets are masked. */
  configuration: z.record(z.string(), z.string()),
});

export const reconciliationReportSchema = z.strictObject({
  checked: z.strictObject({ endpoints: z.int(), servers: z.int(), versions: z.int() }),
  findings: z.array(
    z.strictObject({
      part: z.enum(["registry", "router", "servers"]),
      subject: z.string(),
      found: z.string(),
      wanted: z.string(),
      outcome: z.enum(["repaired", "left"]),
      /** Why it was left; null when it was repaired. */
      why: z.string().nullable(),
    }),
  ),
  /** Endpoints that were passed over because somebody is at work on them. */
  in_use: z.array(z.string()),
  /** A sentence for each part that could not be asked. */
  unchecked: z.array(z.string()),
});
export type ReconciliationView = z.infer<typeof reconciliationReportSchema>;

export const experimentReportSchema = z.strictObject({
  experiment: experimentSchema,
  gate_policy: gatePolicySchema,
});
export const experimentsReportSchema = z.strictObject({ experiments: z.array(experimentSchema) });
export const policyReportSchema = z.strictObject({
  experiment_id: z.string(),
  gate_policy: gatePolicySchema,
});
/** The token is shown this once; the database keeps a hash of it. */
export const principalReportSchema = z.strictObject({ principal: z.string(), token: z.string() });
export const versionsReportSchema = z.strictObject({ versions: z.array(modelVersionSchema) });
export const deploymentsReportSchema = z.strictObject({ deployments: z.array(deploymentSchema) });
