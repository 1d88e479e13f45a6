import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { InvalidRequestError } from "../agents/model_deployer/errors.ts";
import type { CertificateFiles } from "../agents/model_deployer/domain/access/ingress_policy.ts";

/**
 * Whether callers can be served with these files at this moment.
 * @throws InvalidRequestError that names what is wrong with them
 */
export async function checkCertificate(files: CertificateFiles, now: number): Promise<void> {
  const certificate = await parsed(files.certificate, "certificate", (text) => new X509Certificate(text));
  const key = await parsed(files.key, "key", (text) => createPrivateKey(text));
  if (!certificate.checkPrivateKey(key)) {
    throw refused(files.key, `is not the key of the certificate in ${files.certificate}`);
  }
  const [from, to] = [Date.parse(certificate.validFrom), Date.parse(certificate.validTo)];
  if (now >= to) throw refused(files.certificate, `ended at ${new Date(to).toISOString()}; renew it`);
  if (now < from) throw refused(files.certificate, `holds from ${new Date(from).toISOString()} on`);
}

/** When the certificate in that file ends, in milliseconds since 1970. @throws InvalidRequestError */
export async function endOfCertificate(path: string): Promise<number> {
  const certificate = await parsed(path, "certificate", (text) => new X509Certificate(text));
  return Date.parse(certificate.validTo);
}

async function parsed<T>(path: string, what: string, parse: (text: string) => T): Promise<T> {
  let text: string;
  try {
    text = await readFile(path, "utf8");
  } catch (cause) {
    throw refused(path, "cannot be read", cause);
  }
  try {
    return parse(text);
  } catch (cause) {
    throw refused(path, `holds no ${what} in PEM's form`, cause);
  }
}

function refused(path: string, why: string, cause?: unknown): InvalidRequestError {
  return new InvalidRequestError(`${path} ${why}.`, {
    details: { path },
    ...(cause !== undefined && { cause }),
  });
}
