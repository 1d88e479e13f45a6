import { createHash, createPrivateKey, createPublicKey, sign, verify } from "node:crypto";
import { z } from "zod";
import {
  MOST_SIGNATURE_BYTES,
  refusedSignature,
  SIGNATURE_FILE,
  type SignatureProblem,
} from "../../agents/model_deployer/domain/models/refused_signature.ts";
import {
  type AllowedSigners,
  type SignatureFound,
  type Signer,
  signerId,
  signerName,
} from "../../agents/model_deployer/domain/models/signers.ts";
import { ArtifactRejectedError } from "../../agents/model_deployer/errors.ts";
import { parsedJson } from "../../platform/parsed_json.ts";
import type { Files } from "./run_seed.ts";

/** As model-signing writes them for a key: https://docs.sigstore.dev/about/bundle/ */
const MEDIA_TYPE = "application/vnd.dev.sigstore.bundle.v0.3+json";
const PAYLOAD_TYPE = "application/vnd.in-toto+json";
const STATEMENT_TYPE = "https://in-toto.io/Statement/v1";
const PREDICATE_TYPE = "https://model_signing/signature/v1.0";
const HASH_OF_CURVE: Record<string, string> = {
  prime256v1: "sha256",
  secp384r1: "sha384",
  secp521r1: "sha512",
};

const bundleSchema = z.object({
  mediaType: z.literal(MEDIA_TYPE),
  verificationMaterial: z.object({ publicKey: z.object({ hint: z.string() }).optional() }),
  dsseEnvelope: z.object({
    payload: z.string(),
    payloadType: z.literal(PAYLOAD_TYPE),
    signatures: z.array(z.object({ sig: z.string() })).min(1),
  }),
});
const statementSchema = z.object({
  _type: z.literal(STATEMENT_TYPE),
  predicateType: z.literal(PREDICATE_TYPE),
  predicate: z.object({
    serialization: z.object({ ignore_paths: z.array(z.string()).default([]) }),
    resources: z.array(z.object({ name: z.string(), algorithm: z.literal("sha256"), digest: z.string() })),
  }),
});

/** The files of a model with the signature of this key beside them, as `model_signing sign key` makes it. */
export function signedFiles(files: Files, privateKey: string, ignored: readonly string[] = []): Files {
  const key = createPrivateKey(privateKey);
  const covered = Object.keys(files)
    .filter((path) => path !== SIGNATURE_FILE && !isIgnored(path, ignored))
    .sort();
  const digests = covered.map((path) => sha256(files[path] ?? ""));
  const root = createHash("sha256")
    .update(Buffer.from(digests.join(""), "hex"))
    .digest("hex");
  const statement = {
    _type: STATEMENT_TYPE,
    subject: [{ name: "model", digest: { sha256: root } }],
    predicateType: PREDICATE_TYPE,
    predicate: {
      serialization: {
        method: "files",
        hash_type: "sha256",
        allow_symlinks: false,
        ignore_paths: [SIGNATURE_FILE, ...ignored],
      },
      resources: covered.map((name, index) => ({ name, algorithm: "sha256", digest: digests[index] })),
    },
  };
  const payload = Buffer.from(JSON.stringify(statement));
  const signature = sign(hashOf(key.asymmetricKeyDetails?.namedCurve), enveloped(payload), key);
  const pem = createPublicKey(key).export({ type: "spki", format: "pem" });
  const bundle = {
    mediaType: MEDIA_TYPE,
    verificationMaterial: { publicKey: { hint: sha256(String(pem)) }, tlogEntries: [] },
    dsseEnvelope: {
      payload: payload.toString("base64"),
      payloadType: PAYLOAD_TYPE,
      signatures: [{ sig: signature.toString("base64"), keyid: "" }],
    },
  };
  return { ...files, [SIGNATURE_FILE]: JSON.stringify(bundle) };
}

/**
 * Who signed these files, of those who may. Verifies signatures of keys, and takes those of certificates and identities for
 * nobody's, which need libraries of their own.
 * @throws ArtifactRejectedError with the problems that the verifier of the installation finds
 */
export function verifyInMemory(files: Files, allowed: AllowedSigners, where: string): SignatureFound {
  const found = problemOrSigner(files, allowed.signers);
  if (!("problem" in found)) {
    return { kind: "key", name: signerName(found), signer: signerId(found), subject: null };
  }
  const { sentence, next } = refusedSignature(found, allowed, where);
  throw new ArtifactRejectedError(sentence, { details: { ...found }, next });
}

function problemOrSigner(files: Files, signers: readonly Signer[]): Signer | SignatureProblem {
  const text = files[SIGNATURE_FILE];
  if (text === undefined) return { problem: "missing", detail: `it has no ${SIGNATURE_FILE}` };
  if (text.length > MOST_SIGNATURE_BYTES) return { problem: "unreadable", detail: "it is too large" };
  const bundle = bundleSchema.safeParse(parsedJson(text)).data;
  if (bundle === undefined) return { problem: "unreadable", detail: "it is no bundle of Sigstore's" };
  const { payload, signatures } = bundle.dsseEnvelope;
  const signed = Buffer.from(payload, "base64");
  const signer = signers.find(
    (one) => one.kind === "key" && isBy(one.public_key, signed, signatures[0]?.sig ?? ""),
  );
  if (signer === undefined) {
    const hint = bundle.verificationMaterial.publicKey?.hint ?? "unknown";
    return { problem: "not_allowed", detail: `it was made by a key whose PEM has the sha256 ${hint}` };
  }
  const statement = statementSchema.safeParse(parsedJson(signed.toString())).data;
  if (statement === undefined) return { problem: "unreadable", detail: "it signs no model" };
  return problemOfFiles(files, statement.predicate) ?? signer;
}

function problemOfFiles(
  files: Files,
  { resources, serialization }: z.infer<typeof statementSchema>["predicate"],
): SignatureProblem | null {
  const digests = new Map(resources.map(({ name, digest }) => [name, digest]));
  const paths = Object.keys(files).filter((path) => path !== SIGNATURE_FILE);
  const uncovered = paths.filter((path) => !digests.has(path));
  const added = uncovered.filter((path) => !isIgnored(path, serialization.ignore_paths));
  const altered = paths.filter(
    (path) => digests.has(path) && digests.get(path) !== sha256(files[path] ?? ""),
  );
  const missing = [...digests.keys()].filter((path) => files[path] === undefined);
  const differing = Object.entries({ altered, added, missing }).filter(([, names]) => names.length > 0);
  if (differing.length > 0) {
    const detail = differing.map(([what, names]) => `${what}: ${names.join(", ")}`).join("; ");
    return { problem: "files_differ", detail };
  }
  return uncovered.length === 0 ? null : { problem: "files_not_covered", detail: uncovered.join(", ") };
}

const isIgnored = (path: string, ignored: readonly string[]): boolean =>
  ignored.some((one) => path === one || path.startsWith(`${one}/`));

function isBy(publicKey: string, payload: Buffer, signature: string): boolean {
  const key = createPublicKey(publicKey);
  return verify(
    hashOf(key.asymmetricKeyDetails?.namedCurve),
    enveloped(payload),
    key,
    Buffer.from(signature, "base64"),
  );
}

const hashOf = (curve: string | undefined): string => HASH_OF_CURVE[curve ?? ""] ?? "sha256";

/** The bytes that are signed: https://github.com/secure-systems-lab/dsse/blob/v1.0.0/protocol.md */
const enveloped = (payload: Buffer): Buffer =>
  Buffer.concat([Buffer.from(`DSSEv1 ${PAYLOAD_TYPE.length} ${PAYLOAD_TYPE} ${payload.length} `), payload]);

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
