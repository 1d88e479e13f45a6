import { z } from "zod";
import { instantSchema } from "../../agents/model_deployer/domain/entities.ts";
import { refusalSchema } from "../../agents/model_deployer/domain/plan.ts";
import { originSchema } from "../../agents/model_deployer/domain/access/roles.ts";
import { decisionRowSchema } from "../../agents/model_deployer/planning/approval/decision_row.ts";
import { planReportSchema } from "../report_schemas.ts";

export const operationStateSchema = z.enum(["open", "waiting", "ended", "refused"]);

const approvalViewSchema = z.strictObject({
  approval_id: z.string(),
  approver: z.string(),
  reason: z.string(),
  granted_at: instantSchema,
  expires_at: instantSchema,
  used_at: instantSchema.nullable(),
  revoked_at: instantSchema.nullable(),
  revoke_reason: z.string().nullable(),
  /** Whether it counts for the plan that waits now. */
  holds: z.boolean(),
});

/** An operation as a person needs it to decide: its plan, the evidence for it, and who has approved. */
export const operationReportSchema = z.strictObject({
  operation_id: z.string(),
  action: z.string(),
  status: z.enum([
    "claimed",
    "preparing",
    "planned",
    "awaiting_approval",
    "carrying_out",
    "succeeded",
    "refused",
    "failed",
  ]),
  requested_by: z.string(),
  asked_from: originSchema.nullable(),
  /** The principal behind the request; null where nobody is known. */
  person: z.string().nullable(),
  request: z.record(z.string(), z.unknown()),
  experiment_id: z.string().nullable(),
  endpoint_name: z.string().nullable(),
  created_at: instantSchema,
  /** When its wait for approvals ends; null for one that never waited. */
  waits_until: instantSchema.nullable(),
  plan: planReportSchema.nullable(),
  /** The version's metrics, the gate's criteria, the shadow's figures and what else the plan rests on. */
  evidence: z.record(z.string(), z.unknown()),
  /** The figures that an approver decides by, line by line: the candidate's, those of the version that it would replace, and the bound. */
  decision: z.array(decisionRowSchema),
  approvals: z.array(approvalViewSchema),
  approvals_needed: z.int(),
  approvals_given: z.int(),
  refusal: refusalSchema.nullable(),
  error: z
    .strictObject({ code: z.string(), message: z.string(), details: z.record(z.string(), z.unknown()) })
    .nullable(),
});
export type OperationReport = z.infer<typeof operationReportSchema>;

export const operationsReportSchema = z.strictObject({ operations: z.array(operationReportSchema) });
