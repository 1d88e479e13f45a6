import { type AllowedFormats, refusedFormats } from "../domain/models/allowed_formats.ts";
import type { LoadingReport } from "../domain/models/loading_report.ts";
import { summaryOf } from "../domain/models/loading_summary.ts";
import { ArtifactRejectedError } from "../errors.ts";

/** @throws ArtifactRejectedError that names each format that the policy does not allow, or that it is not known */
export function assertAllowed(
  allowed: AllowedFormats | undefined,
  loading: LoadingReport | undefined,
  { artifact, uri }: { artifact: string; uri: string },
): void {
  if (allowed === undefined) return;
  const { experiment_id, formats } = allowed;
  if (loading === undefined) {
    throw new ArtifactRejectedError(
      `It is not known in which formats ${uri} is saved, and the policy of ${experiment_id} allows ${formats.join(", ")}: the registry of this installation does not read it.`,
      { details: { allowed: formats } },
    );
  }
  const found = refusedFormats(summaryOf([{ artifact, report: loading }]), allowed, uri);
  if (found === null) return;
  const { refused, sentence, next } = found;
  throw new ArtifactRejectedError(sentence, { details: { refused, allowed: formats }, next });
}
