import { z } from "zod";
import { instantSchema } from "../entities.ts";

/** Who signs the keys of endpoints. */
export const KEY_ISSUER = "model-deployer";

/** One key of an endpoint, as everybody may see it. */
export const apiKeySchema = z.strictObject({
  key_id: z.string(),
  key_name: z.string(),
  made_at: instantSchema,
  made_by: z.string(),
  expires_at: instantSchema,
  revoked_at: instantSchema.nullable(),
  revoked_by: z.string().nullable(),
});
export type ApiKey = z.infer<typeof apiKeySchema>;

/** The claims inside a key; it is signed by a pair that is made for it alone. */
export function keyClaims(key: { key_id: string; endpoint_name: string; expires_at: string }): string {
  return JSON.stringify({
    iss: KEY_ISSUER,
    aud: key.endpoint_name,
    sub: key.key_id,
    exp: Math.floor(Date.parse(key.expires_at) / 1000),
  });
}
