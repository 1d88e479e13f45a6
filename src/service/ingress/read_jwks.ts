import { createPublicKey } from "node:crypto";
import { readFile } from "node:fs/promises";
import { type Jwks, jwksSchema } from "../../agents/model_deployer/domain/access/ingress_policy.ts";
import { InvalidRequestError } from "../../agents/model_deployer/errors.ts";
import { parsedJson } from "../../platform/parsed_json.ts";

const FETCH_MS = 5_000;
const MOST_CHARACTERS = 100_000;
/** Shorter ones of RSA can be found: https://doi.org/10.6028/NIST.SP.800-131Ar2 */
const SHORTEST_RSA_BITS = 2_048;

/**
 * The keys that tokens are signed by, from a file or from an address with TLS.
 * @throws InvalidRequestError where there are none, or one of them is of no use
 */
export async function readJwks(source: string, signal: AbortSignal): Promise<Jwks> {
  const text = await textOf(source, signal);
  const found = jwksSchema.safeParse(parsedJson(text));
  if (!found.success) {
    const [issue] = found.error.issues;
    throw refused(source, `is no JSON Web Key Set: ${issue?.path.join(".") ?? ""} ${issue?.message ?? ""}`);
  }
  for (const key of found.data.keys) checkKey(source, key);
  return found.data;
}

async function textOf(source: string, signal: AbortSignal): Promise<string> {
  if (!URL.canParse(source)) return read(source, () => readFile(source, "utf8"));
  const url = new URL(source);
  const isHere = url.hostname === "127.0.0.1" || url.hostname === "localhost";
  if (url.protocol !== "https:" && !(url.protocol === "http:" && isHere)) {
    throw refused(source, "is asked without TLS: name an address that begins with https:, or a file");
  }
  return read(source, async () => {
    const bounded = AbortSignal.any([signal, AbortSignal.timeout(FETCH_MS)]);
    const answer = await fetch(url, { signal: bounded, redirect: "error" });
    if (!answer.ok) throw refused(source, `answers ${answer.status}`);
    return answer.text();
  });
}

async function read(source: string, work: () => Promise<string>): Promise<string> {
  try {
    const text = await work();
    if (text.length <= MOST_CHARACTERS) return text;
    throw refused(source, `holds more than ${MOST_CHARACTERS} characters`);
  } catch (cause) {
    if (cause instanceof InvalidRequestError) throw cause;
    throw refused(source, "cannot be read", cause);
  }
}

function checkKey(source: string, key: Jwks["keys"][number]): void {
  const name = JSON.stringify(key.kid ?? key.kty);
  if ("d" in key) throw refused(source, `holds the private half of key ${name}: give the public ones alone`);
  let bits: number | undefined;
  try {
    bits = createPublicKey({ key, format: "jwk" }).asymmetricKeyDetails?.modulusLength;
  } catch (cause) {
    throw refused(source, `holds a key ${name} that is none`, cause);
  }
  if (bits !== undefined && bits < SHORTEST_RSA_BITS) {
    throw refused(source, `holds a key ${name} of ${bits} bits: ${SHORTEST_RSA_BITS} are the least`);
  }
}

function refused(source: string, why: string, cause?: unknown): InvalidRequestError {
  const more = cause === undefined ? {} : { cause };
  return new InvalidRequestError(`--jwks ${source} ${why}.`, { details: { source }, ...more });
}
