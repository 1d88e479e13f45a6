import { z } from "zod";
import { nextStepSchema } from "../agents/base/next_step.ts";
import { deploymentManifestSchema, versionRecordSchema } from "../agents/model_deployer/domain/answer.ts";
import { deploymentSchema, modelVersionSchema } from "../agents/model_deployer/domain/entities.ts";
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

export const versionsReportSchema = z.strictObject({ versions: z.array(modelVersionSchema) });
export const deploymentsReportSchema = z.strictObject({ deployments: z.array(deploymentSchema) });
