import type { NextStep } from "../../../base/next_step.ts";
import { type AllowedSigners, namingSigners, signersText } from "./signers.ts";

/** The file in an artifact's folder that has its signature. */
export const SIGNATURE_FILE = "model.sig";
/** A signature names each file; of 10,000 files it has some 3 MB. */
export const MOST_SIGNATURE_BYTES = 16 * 1024 ** 2;

/** What is wrong with the signature of an artifact. */
export interface SignatureProblem {
  problem:
    /** There is none. */
    | "missing"
    /** It is no bundle of Sigstore's, or too large. */
    | "unreadable"
    /** Signed by an allowed signer, and not these files. */
    | "files_differ"
    /** Files that it does not cover. */
    | "files_not_covered"
    /** By no allowed signer. */
    | "not_allowed";
  detail: string;
}

/** The refusal of an artifact whose signature does not hold: a sentence with the way out, and the ways out as data. */
export function refusedSignature(
  { problem, detail }: SignatureProblem,
  { experiment_id, signers }: AllowedSigners,
  where: string,
): { sentence: string; next: NextStep[] } {
  const asked = `the policy of ${experiment_id} asks for a signature by ${signersText(signers)}`;
  const sign = `sign its folder with model-signing into a ${SIGNATURE_FILE} that is logged with it`;
  const unsigned = namingSigners(
    experiment_id,
    ["none"],
    `asks for no signature of ${experiment_id}'s models`,
  );
  const others = namingSigners(
    experiment_id,
    ['"..."'],
    "names whoever signed it, if that was the right one",
  );
  switch (problem) {
    case "missing":
      return { sentence: `${where} is not signed: ${detail}, and ${asked}: ${sign}.`, next: [unsigned] };
    case "unreadable":
      return {
        sentence: `The signature of ${where} cannot be read: ${detail}. As ${asked}, ${sign} anew.`,
        next: [unsigned],
      };
    case "files_differ":
      return {
        sentence: `${where} is not what was signed: ${detail}. Find out who changed it; if that was right, ${sign} anew.`,
        next: [],
      };
    case "files_not_covered":
      return {
        sentence: `${where} has files that its signature does not cover: ${detail}. Take them out, or ${sign} anew, with no path ignored.`,
        next: [],
      };
    case "not_allowed":
      return {
        sentence: `${where} is not signed by an allowed signer: ${detail}; ${asked}. ${sign[0]?.toUpperCase()}${sign.slice(1)} by one of these, or name its signer.`,
        next: [others],
      };
    default:
      return problem satisfies never;
  }
}
