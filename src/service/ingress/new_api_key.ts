import { generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { keyClaims } from "../../agents/model_deployer/domain/access/api_key.ts";
import { type PublicKey, publicKeySchema } from "../../agents/model_deployer/domain/access/ingress_policy.ts";

export interface NewApiKey {
  key_id: string;
  /** The text that a caller sends; nobody can make it again. */
  key: string;
  public_key: PublicKey;
}

const encoded = (text: string): string => Buffer.from(text).toString("base64url");

/**
 * A key that is signed by a pair of its own, of which only the public half outlives this call: whoever reads what the
 * database and the router hold of it cannot call.
 */
export function newApiKey(endpointName: string, expiresAt: string): NewApiKey {
  const key_id = `key_${randomBytes(9).toString("base64url")}`;
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const head = encoded(JSON.stringify({ alg: "EdDSA", kid: key_id }));
  const claims = encoded(keyClaims({ key_id, endpoint_name: endpointName, expires_at: expiresAt }));
  const signature = sign(null, Buffer.from(`${head}.${claims}`), privateKey).toString("base64url");
  const { kty, crv, x } = publicKey.export({ format: "jwk" });
  return {
    key_id,
    key: `${head}.${claims}.${signature}`,
    public_key: publicKeySchema.parse({ kty, crv, x }),
  };
}
