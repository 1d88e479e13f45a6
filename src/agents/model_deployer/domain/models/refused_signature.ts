import type { NextStep } from "../../../base/next_step.ts";
import { type AllowedSigners, namingSigners, signersText } from "./signers.ts";

/** The file in an artifact's folder that has its signature. */
export const SIGNATURE_FILE = "model.sig";
/** A signature names each file; of 10,000 files it has some 3 MB. */
export const MOST_SIGNATURE_BYTES = 16 * 1024 ** 2;

/** A fault of an artifact's signature. */
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
  found: SignatureProblem,
  allowed: AllowedSigners,
  where: string,
): { sentence: string; next: NextStep[] } {
  const asked = `the policy of ${allowed.experiment_id} asks for a signature by ${signersText(allowed.signers)}`;
  return { sentence: sentenceOf(found, where, asked), next: otherSigners(found, allowed) };
}

function sentenceOf({ problem, detail }: SignatureProblem, where: string, asked: string): string {
  const sign = `sign its folder with model-signing into a ${SIGNATURE_FILE} that is logged with it`;
  switch (problem) {
    case "missing":
      return `${where} is not signed: ${detail}, and ${asked}: ${sign}.`;
    case "unreadable":
      return `The signature of ${where} cannot be read: ${detail}. As ${asked}, ${sign} anew.`;
    case "files_differ":
      return `${where} is not what was signed: ${detail}. Find out who changed it; if that was right, ${sign} anew.`;
    case "files_not_covered":
      return `${where} has files that its signature does not cover: ${detail}. Take them out, or ${sign} anew, with no path ignored.`;
    case "not_allowed":
      return `${where} is not signed by an allowed signer: ${detail}; ${asked}. ${sign[0]?.toUpperCase()}${sign.slice(1)} by one of these, or name its signer.`;
    default:
      return problem satisfies never;
  }
}

/** Policies under which the artifact would be taken as it is; none where its files are not those that were signed. */
function otherSigners({ problem }: SignatureProblem, { experiment_id }: AllowedSigners): NextStep[] {
  switch (problem) {
    case "missing":
    case "unreadable": {
      const why = `asks for no signature of ${experiment_id}'s models`;
      return [namingSigners(experiment_id, ["none"], why)];
    }
    case "not_allowed": {
      const why = "names whoever signed it, if that was the right one";
      return [namingSigners(experiment_id, ['"..."'], why)];
    }
    case "files_differ":
    case "files_not_covered":
      return [];
    default:
      return problem satisfies never;
  }
}
