import { z } from "zod";
import { apiKeySchema } from "../../agents/model_deployer/domain/ingress/api_key.ts";
import { ingressPolicySchema } from "../../agents/model_deployer/domain/ingress/ingress_policy.ts";

export const ingressReportSchema = z.strictObject({
  endpoint_name: z.string(),
  experiment_id: z.string(),
  /** Null before the endpoint is opened, which it is with its policy. */
  endpoint_url: z.string().nullable(),
  revision: z.int(),
  /** The revision that the router enforces; null where it has none, or does not answer. */
  enforced: z.int().nullable(),
  policy: ingressPolicySchema,
  keys: z.array(apiKeySchema.extend({ is_in_force: z.boolean() })),
});
export type IngressReport = z.infer<typeof ingressReportSchema>;

export const newKeyReportSchema = z.strictObject({
  endpoint_name: z.string(),
  key_id: z.string(),
  key_name: z.string(),
  expires_at: z.string(),
  /** Shown this once; nobody can make it again. */
  key: z.string(),
  enforced: z.int().nullable(),
});
