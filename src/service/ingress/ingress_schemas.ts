import { z } from "zod";
import { apiKeySchema } from "../../agents/model_deployer/domain/access/api_key.ts";
import {
  ingressLimitsSchema,
  ingressPolicySchema,
  tokenIssuerSchema,
} from "../../agents/model_deployer/domain/access/ingress_policy.ts";

/** Who may call an endpoint, and how much: all of its policy but the certificate, which lies on the router's machine. */
export const ingressChangeSchema = z.strictObject({
  keys: z.boolean(),
  tokens: tokenIssuerSchema.omit({ jwks: true }).nullable(),
  limits: ingressLimitsSchema,
});
export type IngressChange = z.infer<typeof ingressChangeSchema>;

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

/** Whose key and for what, and how long it holds; `makeKey` bounds both. */
export const newKeyRequestSchema = z.strictObject({ key_name: z.string(), days: z.number() });
export type NewKeyRequest = z.infer<typeof newKeyRequestSchema>;

export const newKeyReportSchema = z.strictObject({
  endpoint_name: z.string(),
  key_id: z.string(),
  key_name: z.string(),
  expires_at: z.string(),
  /** Shown this once; nobody can make it again. */
  key: z.string(),
  enforced: z.int().nullable(),
});
export type NewKeyReport = z.infer<typeof newKeyReportSchema>;
