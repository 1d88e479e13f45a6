import { z } from "zod";
import type { NextStep } from "../../../base/next_step.ts";

const nameSchema = z.string().regex(/^[\w.@+-]{1,100}$/, "letters, digits and . _ @ + -, at most 100");
/** Filled in from the key or the certificates where a policy is set without it. */
const fingerprintSchema = z
  .string()
  .regex(/^([0-9a-f]{64})?$/, "a sha256 in hexadecimal digits")
  .default("");
/** A file with some keys or certificates. */
const pemSchema = z.string().min(1).max(100_000);

export const signerSchema = z.discriminatedUnion("kind", [
  z.strictObject({
    kind: z.literal("key"),
    name: nameSchema,
    /** An elliptic curve's public key, as PEM. */
    public_key: pemSchema,
    /** sha256 of the key as DER (SubjectPublicKeyInfo). */
    fingerprint: fingerprintSchema,
  }),
  z.strictObject({
    kind: z.literal("certificate"),
    name: nameSchema,
    /** Authorities that certify whoever signs, as PEM. */
    certificates: pemSchema,
    /** sha256 of the certificates as DER, one after the other. */
    fingerprint: fingerprintSchema,
  }),
  z.strictObject({
    kind: z.literal("identity"),
    /** As Sigstore certified it: a mail address, or the address of a workflow. */
    identity: z.string().regex(/^[\x21-\x7e]{1,300}$/, "printable characters without spaces"),
    /** Who vouched for the identity: the address of an OpenID Connect provider. */
    issuer: z.string().regex(/^https:\/\/[\x21-\x7e]{1,300}$/, "an https address"),
  }),
]);
/** Somebody by whom an experiment's models may be signed. */
export type Signer = z.infer<typeof signerSchema>;

export const allowedSignersSchema = z.strictObject({
  experiment_id: z.string(),
  signers: z.array(signerSchema),
});
/** The signers that an experiment's policy names. */
export type AllowedSigners = z.infer<typeof allowedSignersSchema>;

export const signatureFoundSchema = z.strictObject({
  kind: z.enum(["key", "certificate", "identity"]),
  /** The signer's name in the policy by which it was verified. */
  name: z.string(),
  /** The fingerprint of the key or the authorities, or `identity@issuer`. */
  signer: z.string(),
  /** The subject of the certificate that signed; null for a key and an identity. */
  subject: z.string().nullable(),
});
/** Who signed the files of one artifact. */
export type SignatureFound = z.infer<typeof signatureFoundSchema>;

export const signedBySchema = signatureFoundSchema.extend({ artifact: z.enum(["model", "preprocessing"]) });
/** Who signed one artifact of a version. */
export type SignedBy = z.infer<typeof signedBySchema>;

/** Undefined where the policy names none and so asks for no signature. */
export function allowedSigners(
  experiment_id: string,
  { signers }: { signers: readonly Signer[] | null },
): AllowedSigners | undefined {
  return signers === null ? undefined : { experiment_id, signers: [...signers] };
}

/** The text that tells one signer from another. */
export function signerId(signer: Signer): string {
  return signer.kind === "identity" ? signerName(signer) : signer.fingerprint;
}

/** By which `policy set --signed-by` knows a signer of the present policy. */
export const signerName = (signer: Signer): string =>
  signer.kind === "identity" ? `${signer.identity}@${signer.issuer}` : signer.name;

/** As in `key release (3f2a1b9c)` and `ci@example.org, certified by https://id.example.org`. */
export function signerText(signer: Signer): string {
  const short = signerId(signer).slice(0, 8);
  switch (signer.kind) {
    case "key":
      return `key ${signer.name} (${short})`;
    case "certificate":
      return `certificates of ${signer.name} (${short})`;
    case "identity":
      return `${signer.identity}, certified by ${signer.issuer}`;
    default:
      return signer satisfies never;
  }
}

export const signersText = (signers: readonly Signer[]): string => signers.map(signerText).join("; ");

export function signedByText({ kind, name, signer, subject }: SignatureFound): string {
  if (kind === "identity") return signer.replace(/@(?=https:[^@]*$)/, ", certified by ");
  const whose = kind === "key" ? `key ${name}` : `${subject ?? "?"} of ${name}`;
  return `${whose} (${signer.slice(0, 8)})`;
}

interface RefusedSigners {
  /** Those that the policy does not name. */
  refused: string[];
  sentence: string;
  next: NextStep[];
}

/** Null where each artifact was signed by somebody whom the policy names now. */
export function refusedSigners(
  signed_by: readonly SignedBy[],
  { experiment_id, signers }: AllowedSigners,
  where: string,
): RefusedSigners | null {
  const ids = signers.map(signerId);
  const others = signed_by.filter(({ signer }) => !ids.includes(signer));
  if (others.length === 0) return null;
  const refused = others.map(({ artifact, ...one }) => `${signedByText(one)}${ofArtifact(artifact)}`);
  return {
    refused,
    sentence: `${where} was signed by ${refused.join(" and ")}, and the policy of ${experiment_id} names ${signersText(signers)}: have it signed by one of these and register that run, or name its signer again.`,
    next: [
      namingSigners(
        experiment_id,
        [...signers.map(signerName), '"..."'],
        "names its signer again; a key that may be in other hands should stay out",
      ),
    ],
  };
}

const ofArtifact = (artifact: string): string => (artifact === "model" ? "" : ` (${artifact})`);

/** `policy set` with these signers. */
export function namingSigners(experiment_id: string, names: readonly string[], why: string): NextStep {
  const command = `model-deployer policy set ${experiment_id} --signed-by ${names.join(" ")} --reason "..."`;
  return { action: "set_policy", request: null, command, who: "person", why };
}
