import { generateKeyPairSync } from "node:crypto";
import type { Signer } from "../../../src/agents/model_deployer/domain/models/signers.ts";
import { readPem } from "../../../src/platform/signing_keys.ts";

export interface SigningKey {
  privateKey: string;
  signer: Extract<Signer, { kind: "key" }>;
}

export function newSigningKey(name: string, namedCurve = "P-256"): SigningKey {
  const { privateKey, publicKey: public_key } = generateKeyPairSync("ec", {
    namedCurve,
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
    publicKeyEncoding: { type: "spki", format: "pem" },
  });
  const read = readPem(public_key);
  const fingerprint = read.kind === "key" ? read.fingerprint : "";
  return { privateKey, signer: { kind: "key", name, public_key, fingerprint } };
}
