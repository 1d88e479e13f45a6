import { z } from "zod";
import type { ModelVersion } from "../../domain/entities.ts";
import {
  type SignedBy,
  signedBySchema,
  signedByText,
  type Signer,
  signerId,
  signersText,
} from "../../domain/models/signers.ts";
import type { Plan } from "../../domain/plan.ts";
import type { DecisionRow } from "./decision_row.ts";

const signedSchema = z.array(signedBySchema).nullable();
export const signingEvidenceSchema = z.object({ candidate: signedSchema, production: signedSchema });

/** Who signed a version, and the one at production, as a plan keeps it for its approver. */
export function signingEvidence(
  version: Pick<ModelVersion, "signed_by">,
  production: Pick<ModelVersion, "signed_by"> | null,
): Plan["evidence"] {
  return { signing: { candidate: version.signed_by, production: production?.signed_by ?? null } };
}

const UNKNOWN = "not verified: no policy asked for it at registration";

/** A row for each artifact that was signed; none where neither was and no policy asks for it. */
export function signingRows(
  evidence: z.infer<typeof signingEvidenceSchema> | undefined,
  signers: readonly Signer[] | null | undefined,
): DecisionRow[] {
  if (evidence === undefined) return [];
  const { candidate, production } = evidence;
  const required = signers === null || signers === undefined ? null : signersText(signers);
  const row = (what: string, signed: SignedBy | null, before: SignedBy | null): DecisionRow => ({
    group: "signatures",
    what,
    required,
    candidate: signed === null ? UNKNOWN : signedByText(signed),
    production: before === null ? null : signedByText(before),
    met: metBy(signed, signers),
  });
  if (candidate === null) {
    const before = production?.find(({ artifact }) => artifact === "model") ?? null;
    return required === null && before === null ? [] : [row("signed by", null, before)];
  }
  return candidate.map((signed) => {
    const before = production?.find(({ artifact }) => artifact === signed.artifact) ?? null;
    return row(signed.artifact === "model" ? "signed by" : "preprocessing signed by", signed, before);
  });
}

function metBy(signed: SignedBy | null, signers: readonly Signer[] | null | undefined): boolean | null {
  if (signed === null || signers === null || signers === undefined) return null;
  return signers.some((signer) => signerId(signer) === signed.signer);
}
