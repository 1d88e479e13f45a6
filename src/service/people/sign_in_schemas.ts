import { z } from "zod";
import { instantSchema } from "../../agents/model_deployer/domain/entities.ts";
import { grantSchema } from "../../agents/model_deployer/domain/access/roles.ts";

/** Where people and machines sign in, and as which client a command line does. */
export const providerSchema = z.strictObject({
  issuer: z.string(),
  client_id: z.string(),
  scope: z.string(),
  audience: z.string(),
});

/** Who asks, and what they may do at this moment. */
export const sessionSchema = z.strictObject({ principal: z.string(), grants: z.array(grantSchema) });

const providersTokenSchema = z.string().min(1).max(32_768);

/** A person's ID token, or a machine's access token; and what the provider is asked by for their groups of later. */
export const signInRequestSchema = z.strictObject({
  token: providersTokenSchema,
  refresh_token: providersTokenSchema.optional(),
});

export const openedSessionSchema = z.strictObject({
  principal: z.string(),
  grants: z.array(grantSchema),
  /** Sent as a bearer token until then; in this answer alone. */
  token: z.string(),
  expires_at: instantSchema,
});
