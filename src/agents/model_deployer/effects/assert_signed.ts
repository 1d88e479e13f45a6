import type { AllowedSigners, SignatureFound } from "../domain/models/signers.ts";
import { signersText } from "../domain/models/signers.ts";
import { ArtifactRejectedError } from "../errors.ts";

/** Whoever verifies has refused other files already. @throws ArtifactRejectedError where nobody verified the signature asked for */
export function assertSigned(
  signers: AllowedSigners | undefined,
  signed_by: SignatureFound | undefined,
  uri: string,
): void {
  if (signers === undefined || signed_by !== undefined) return;
  throw new ArtifactRejectedError(
    `It is not known who signed ${uri}, and the policy of ${signers.experiment_id} asks for a signature by ${signersText(signers.signers)}: the registry of this installation verifies none.`,
    { details: { problem: "not_verified" } },
  );
}
