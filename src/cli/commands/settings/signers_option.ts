import { readFile } from "node:fs/promises";
import { basename, extname } from "node:path";
import type { NewGatePolicy } from "../../../agents/model_deployer/domain/models/gate_policy.ts";
import { InvalidRequestError } from "../../../agents/model_deployer/errors.ts";
import { readPem } from "../../../platform/signing_keys.ts";

type NewSigners = NonNullable<NewGatePolicy["signers"]>;

const IDENTITY = /^(.+)@(https:\/\/[^@\s]+)$/;

/**
 * Each is a file with a public key or with certificates, `identity@https://issuer`, or the name of a signer whom the
 * policy names already; `none` alone asks for no signature.
 * @param before the signers of the present policy
 * @throws InvalidRequestError
 */
export async function signersOf(
  given: readonly string[],
  before: NewGatePolicy["signers"],
): Promise<NewSigners | null> {
  if (given.length === 1 && given[0] === "none") return null;
  return Promise.all(given.map((one) => signerOf(one, before ?? [])));
}

async function signerOf(given: string, before: NewSigners): Promise<NewSigners[number]> {
  const known = before.find((one) => nameOf(one) === given);
  if (known !== undefined) return known;
  const [, identity, issuer] = IDENTITY.exec(given) ?? [];
  if (identity !== undefined && issuer !== undefined) return { kind: "identity", identity, issuer };
  const text = await readFile(given, "utf8").catch((cause: unknown) => {
    throw new InvalidRequestError(
      `--signed-by ${given}: there is no such file, and no signer of that name in the policy. Name a file with a public key or with an authority's certificates, identity@https://issuer, or none.`,
      { cause },
    );
  });
  const read = readPem(text);
  const name = basename(given, extname(given)).replace(/[^\w.@+-]/g, "_");
  switch (read.kind) {
    case "key":
      return { kind: "key", name, public_key: text };
    case "certificate":
      return { kind: "certificate", name, certificates: text };
    case "unusable":
      throw new InvalidRequestError(`--signed-by ${given}: the file ${read.why}.`);
    default:
      return read satisfies never;
  }
}

const nameOf = (signer: NewSigners[number]): string =>
  signer.kind === "identity" ? `${signer.identity}@${signer.issuer}` : signer.name;
