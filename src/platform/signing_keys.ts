import { createHash, createPublicKey, X509Certificate } from "node:crypto";

const CURVES = ["prime256v1", "secp384r1", "secp521r1"];
const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----[\s\S]*?-----END \1-----/g;

/** The contents of a PEM: one public key that signs models, or certificates; or why it cannot be used. */
export type ReadPem =
  | { kind: "key" | "certificate"; fingerprint: string }
  /** A sentence's end, as in `... holds a private key`. */
  | { kind: "unusable"; why: string };

/** Reads a PEM by its labels; the fingerprint is a sha256 in hex over what it holds as DER, one after the other. */
export function readPem(text: string): ReadPem {
  const blocks = [...text.matchAll(BLOCK)].map(([pem, label = ""]) => ({ pem, label }));
  if (blocks.some(({ label }) => label.endsWith("PRIVATE KEY")))
    return unusable("holds a private key: name the public one, and let nobody else have that");
  if (blocks.length === 0)
    return unusable(
      "holds no PEM, which begins with -----BEGIN PUBLIC KEY----- or -----BEGIN CERTIFICATE-----",
    );
  const isKey = blocks.every(({ label }) => label === "PUBLIC KEY");
  if (!isKey && !blocks.every(({ label }) => label === "CERTIFICATE"))
    return unusable("holds something beside a public key or certificates");
  if (isKey && blocks.length > 1) return unusable("holds several keys: name a file for each");
  try {
    return isKey ? ofKey(blocks[0]?.pem ?? "") : ofCertificates(blocks.map(({ pem }) => pem));
  } catch {
    return unusable(`holds a ${isKey ? "key" : "certificate"} that cannot be read`);
  }
}

const unusable = (why: string): ReadPem => ({ kind: "unusable", why });

function ofKey(pem: string): ReadPem {
  const key = createPublicKey(pem);
  const curve = key.asymmetricKeyDetails?.namedCurve ?? key.asymmetricKeyType ?? "unknown";
  if (!CURVES.includes(curve))
    return unusable(`holds a key of ${curve}: model-signing signs by the curves ${CURVES.join(", ")}`);
  return { kind: "key", fingerprint: fingerprintOf([key.export({ type: "spki", format: "der" })]) };
}

/** Each an authority, or one that vouches for itself: any other leads to none. */
function ofCertificates(pems: string[]): ReadPem {
  const certificates = pems.map((pem) => new X509Certificate(pem));
  const leaf = certificates.find((one) => !one.ca && !one.verify(one.publicKey));
  if (leaf !== undefined)
    return unusable(
      `holds ${leaf.subject.replaceAll("\n", ", ")}, which is no authority: name the certificate of the authority that issued it, or the signer's public key`,
    );
  return { kind: "certificate", fingerprint: fingerprintOf(certificates.map(({ raw }) => raw)) };
}

function fingerprintOf(ders: Buffer[]): string {
  return createHash("sha256").update(Buffer.concat(ders)).digest("hex");
}
