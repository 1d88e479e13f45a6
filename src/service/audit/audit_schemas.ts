import { z } from "zod";
import { originSchema } from "../../agents/model_deployer/domain/access/roles.ts";

/** An entry as its line of JSON has it. */
export const auditEntrySchema = z.strictObject({
  sequence: z.int(),
  /** To the microsecond. */
  at: z.string(),
  who: z.string(),
  /** Where it came from; null where that was not told. */
  from: originSchema.nullable(),
  /** An action of the deployer, or what was changed: `approval`, `gate_policy`, `principal`, `token`, `role`, ... */
  action: z.string(),
  subject: z.string().nullable(),
  /** `asked` and how it ended, `insert`, `update`, `refused`, `told`, `signed_in`. */
  outcome: z.string(),
  details: z.json().nullable(),
});

export const auditLinkSchema = z.strictObject({
  entry: auditEntrySchema,
  /** The entry as it was hashed: `hash` is sha256 of `previous` and this. */
  line: z.string(),
  previous: z.string(),
  hash: z.string(),
});
export type AuditLinkView = z.infer<typeof auditLinkSchema>;

export const auditReportSchema = z.strictObject({ links: z.array(auditLinkSchema) });

export const auditVerificationSchema = z.strictObject({
  is_intact: z.boolean(),
  entries: z.int(),
  /** The hash of the last entry; whoever keeps it elsewhere can ask later whether the chain still holds it. */
  head: z.string().nullable(),
  /** The first thing that is wrong; null where nothing is. */
  problem: z.strictObject({ sequence: z.int(), why: z.string() }).nullable(),
});
export type AuditVerification = z.infer<typeof auditVerificationSchema>;
