import { z } from "zod";
import { instantSchema } from "../../agents/model_deployer/domain/entities.ts";
import { principalViewSchema, roleSchema } from "../../agents/model_deployer/domain/access/roles.ts";

export const principalsReportSchema = z.strictObject({ principals: z.array(principalViewSchema) });
export type PrincipalsReport = z.infer<typeof principalsReportSchema>;

/** The token is shown this once; the database keeps a hash of it. */
export const principalReportSchema = z.strictObject({
  principal: z.string(),
  token: z.string(),
  expires_at: instantSchema.nullable(),
});

export const removalReportSchema = z.strictObject({
  principal: z.string(),
  /** Approvals that were not used yet and count no more. */
  approvals_ended: z.int(),
});

const reason = z.string().trim().min(1).max(2000);
const experiment_id = z.string().nullable().default(null);
/** Ten years and a little. */
const expires_in_days = z.number().positive().max(3660).nullable().default(null);

export const enrolmentSchema = z.strictObject({
  principal: z.string().min(1).max(200),
  /** Operator and approver where nothing is named and the principal has no role yet. */
  roles: z.array(roleSchema).max(4).optional(),
  experiment_id,
  kind: z.enum(["person", "machine"]).optional(),
  expires_in_days,
});
export type EnrolmentRequest = z.infer<typeof enrolmentSchema>;

export const newTokenSchema = z.strictObject({ label: z.string().min(1).max(200), expires_in_days });
export const grantRequestSchema = z.strictObject({ role: roleSchema, experiment_id });
export const principalRemovalRequestSchema = z.strictObject({ reason });
export const loginSchema = z.strictObject({
  /** `os`, or the address of an identity provider's issuer. */
  provider: z.string().min(1).max(500),
  /** A user of the operating system, `ana` or `ana@host`, or the issuer's subject. */
  subject: z.string().min(1).max(500),
});
