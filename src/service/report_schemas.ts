import { z } from "zod";
import { nextStepSchema } from "../agents/base/next_step.ts";
import { deploymentManifestSchema, versionRecordSchema } from "../agents/model_deployer/domain/answer.ts";
import {
  deploymentSchema,
  experimentSchema,
  instantSchema,
  metricsSchema,
  modelVersionSchema,
  servedStageSchema,
  stageSchema,
} from "../agents/model_deployer/domain/entities.ts";
import { gatePolicySchema } from "../agents/model_deployer/domain/models/gate_policy.ts";
import { engineKindSchema } from "../agents/model_deployer/domain/servers/engines.ts";
import { formatSchema } from "../agents/model_deployer/domain/models/loading_report.ts";
import { signatureComparisonSchema } from "../agents/model_deployer/domain/models/model_signature.ts";
import { rolloutExpectationSchema } from "../agents/model_deployer/domain/traffic/rollout_expectation.ts";
import { planDifferenceSchema } from "../agents/model_deployer/planning/plan_difference.ts";
import { unmetCriterionSchema } from "../agents/model_deployer/domain/plan.ts";

export { type EndpointStatus, type StatusReport, statusReportSchema } from "./status/status_schemas.ts";

/**
 * The output of `--json`: one document, `{ schema_version, command, data }` or `{ schema_version, command, error,
 * exit_code }`. A field is added without notice; one that goes away or changes its meaning raises the version.
 */
export const SCHEMA_VERSION = 1;

export const errorViewSchema = z.strictObject({
  /** An error's stable code, such as `production_criteria_not_met`; `unexpected` for what is none of ours. */
  code: z.string(),
  message: z.string(),
  retryable: z.boolean(),
  /** True where the request was decided against, and the message names the way out; false where something failed. */
  refused: z.boolean(),
  unmet: z.array(unmetCriterionSchema),
  operation_id: z.string().nullable(),
  problems: z.array(z.string()),
  /** Each way out; empty where it is final. */
  next: z.array(nextStepSchema),
  /** From when on the same command makes sense again; null where no time helps. */
  not_before: z.string().nullable(),
});

export const planReportSchema = z.strictObject({
  summary: z.string(),
  differences: z.array(planDifferenceSchema),
  steps: z.array(z.string()),
  approvals_needed: z.int(),
  generation: z.int(),
  notes: z.array(z.string()),
  /** Readable names of the differences' ids, which a terminal shows instead. */
  names: z.record(z.string(), z.string()),
  /** How the columns differ from what serves now; null where there is nothing to compare. */
  signature: signatureComparisonSchema.nullable(),
  /** How long a rollout's steps are likely to last, and what they can show; null without one. */
  expectation: rolloutExpectationSchema.nullable(),
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

/** How an interrupted operation ended; with its answer where it was completed. */
export const resumptionReportSchema = applyReportSchema.extend({
  status: z.enum(["completed", "undone", "refused"]),
  action: z.string(),
  /** The outcome as a sentence, or the reason for none. */
  reason: z.string(),
});
export type ResumptionReport = z.infer<typeof resumptionReportSchema>;

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
  /** With `--at`: the versions that each of the experiment's endpoints sent traffic to at that instant. */
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
      /** Further evidence: the gate's policy, the shadow's figures, a judge's verdict. */
      evidence: z.record(z.string(), z.unknown()),
    }),
  ),
  /** Episodes of the memory, newest first; empty where it does not answer, and `degraded` says so. */
  episodes: z.array(
    z.strictObject({
      occurred_at: z.string(),
      what: z.string(),
      outcome: z.string(),
      description: z.string(),
    }),
  ),
  /** What the memory changes of each model family's next rollout; empty where it does not answer. */
  care: z.array(z.string()),
  versions: z.record(z.string(), z.string()),
  degraded: z.array(z.string()),
});
export type HistoryReport = z.infer<typeof historyReportSchema>;

export const checkSchema = z.strictObject({
  part: z.string(),
  state: z.enum(["ok", "degraded", "down"]),
  found: z.string(),
  /** Advice; null where nothing is to be done. */
  advice: z.string().nullable(),
});
export type Check = z.infer<typeof checkSchema>;

export const doctorReportSchema = z.strictObject({
  state: z.enum(["ok", "degraded", "down"]),
  checks: z.array(checkSchema),
  /** Secrets are masked. */
  configuration: z.record(z.string(), z.string()),
});

export type DoctorReport = z.infer<typeof doctorReportSchema>;

export const consoleReportSchema = z.strictObject({
  url: z.string(),
  /** Whether the address signs in as the principal of the token. */
  signs_in: z.boolean(),
});

export const environmentReportSchema = z.strictObject({
  /** By name; null where no address is configured and nothing runs under the home. */
  variables: z.record(z.string(), z.string().nullable()),
  /** Where this home's console and API are served; null where they are not. No variable: a command that has it asks the API. */
  console_url: z.string().nullable(),
});
/** `kubectl apply -f -` takes it as it is. */
export const manifestListSchema = z.strictObject({
  apiVersion: z.literal("v1"),
  kind: z.literal("List"),
  items: z.array(z.looseObject({})),
});
export type EnvironmentReport = z.infer<typeof environmentReportSchema>;

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
  retry_seconds: z.number().nullable(),
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
  /** Versions that are not archived, in formats that the policy does not allow; null for formats that were not read. */
  versions_in_other_formats: z
    .array(
      z.strictObject({
        model_version_id: z.string(),
        stage: stageSchema,
        formats: z.array(formatSchema).nullable(),
      }),
    )
    .default([]),
  /** The same for who signed them; null for signatures that were not verified. */
  versions_signed_by_others: z
    .array(
      z.strictObject({
        model_version_id: z.string(),
        stage: stageSchema,
        signed_by: z.array(z.string()).nullable(),
      }),
    )
    .default([]),
  /** Deployments with traffic that serve on another engine than the policy gives to new ones; they stay there. */
  deployments_on_other_engines: z
    .array(
      z.strictObject({
        deployment_id: z.string(),
        target_stage: servedStageSchema,
        engine: engineKindSchema,
      }),
    )
    .default([]),
});
export const versionsReportSchema = z.strictObject({ versions: z.array(modelVersionSchema) });
export const deploymentsReportSchema = z.strictObject({ deployments: z.array(deploymentSchema) });

const runningPartSchema = z.strictObject({
  /** `command`: one that serves the home, such as `up`. */
  kind: z.enum(["command", "service", "router", "server"]),
  name: z.string(),
  process: z.int(),
});
export const downReportSchema = z.strictObject({
  /** `nothing` where nothing ran that was to be stopped. */
  status: z.enum(["stopped", "nothing", "declined"]),
  home: z.string(),
  stopped: z.array(runningPartSchema),
  /** Parts that go on and answer. */
  going_on: z.array(runningPartSchema),
  /** How the remaining parts are stopped, and further notes. */
  how: z.string().nullable(),
});
export type DownReport = z.infer<typeof downReportSchema>;
