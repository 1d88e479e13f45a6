import type { Answer } from "../../domain/answer.ts";
import type { ChangeOf } from "../../domain/changes.ts";
import type { LoadingSummary } from "../../domain/models/loading_summary.ts";
import type { ModelSignature } from "../../domain/models/model_signature.ts";
import type { SignedBy } from "../../domain/models/signers.ts";

/** Puts the values that the steps found into the row and the answer. */
export function completeRegistration(
  insert: ChangeOf<"insert_model_version">,
  draft: Answer,
  found: {
    version: number | null;
    digest: string | null;
    preprocessing_digest: string | null;
    /** Of the files that were pinned; undefined where the plan pinned none. */
    signature: ModelSignature | null | undefined;
    /** The effects of loading the pinned files, in sentences. */
    loading_notes: string[];
    /** The same as data; null where nobody read it. */
    loading: LoadingSummary | null;
    /** Null where no signature was asked for. */
    signed_by: SignedBy[] | null;
  },
): { insert: ChangeOf<"insert_model_version">; answer: Answer } {
  const version = found.version ?? insert.model_version.version;
  const modelVersion = {
    ...insert.model_version,
    version,
    artifact_digest: found.digest ?? insert.model_version.artifact_digest,
    preprocessing_digest: found.preprocessing_digest,
    loading: found.loading,
    signed_by: found.signed_by,
    signature: found.signature === undefined ? insert.model_version.signature : found.signature,
  };
  const record = draft.version_record;
  return {
    insert: { ...insert, model_version: modelVersion },
    answer: {
      ...draft,
      version_record: record === null ? null : { ...record, version },
      notes: [...draft.notes, ...found.loading_notes],
    },
  };
}
