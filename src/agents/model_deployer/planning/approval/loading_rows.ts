import { z } from "zod";
import type { ModelVersion } from "../../domain/entities.ts";
import type { Format } from "../../domain/models/loading_report.ts";
import { type LoadingSummary, loadingSummarySchema } from "../../domain/models/loading_summary.ts";
import type { Plan } from "../../domain/plan.ts";
import type { DecisionRow } from "./decision_row.ts";

export const loadingEvidenceSchema = z.object({
  candidate: loadingSummarySchema.nullable(),
  production: loadingSummarySchema.nullable(),
});

/** The effects of loading a version, beside those of the one at production, as a plan keeps them for its approver. */
export function loadingEvidence(
  version: Pick<ModelVersion, "loading">,
  production: Pick<ModelVersion, "loading"> | null,
): Plan["evidence"] {
  return { loading: { candidate: version.loading, production: production?.loading ?? null } };
}

const SHOWN = 6;
const UNKNOWN = "not read: it was registered by an earlier release";

/** The formats beside those that the policy allows, then all by which the files reach beyond their data. */
export function loadingRows(
  evidence: z.infer<typeof loadingEvidenceSchema> | undefined,
  allowed: readonly Format[] | null | undefined,
): DecisionRow[] {
  if (evidence === undefined) return [];
  const { candidate, production } = evidence;
  const required = allowed?.join(", ") ?? null;
  const formats: DecisionRow = {
    group: "loading",
    what: "formats of its files",
    required,
    candidate: candidate === null ? UNKNOWN : listed(candidate.formats),
    production: production === null ? null : listed(production.formats),
    met: metBy(candidate, allowed),
  };
  return [formats, ...(candidate === null ? [] : reachRows(candidate, production))];
}

function metBy(
  candidate: LoadingSummary | null,
  allowed: readonly Format[] | null | undefined,
): boolean | null {
  if (candidate === null || allowed === null || allowed === undefined) return null;
  return candidate.formats.every((format) => allowed.includes(format));
}

function reachRows(candidate: LoadingSummary, production: LoadingSummary | null): DecisionRow[] {
  const row = (what: string, read: (one: LoadingSummary) => string[]): DecisionRow[] => {
    const found = read(candidate);
    if (found.length === 0) return [];
    const before = production === null ? null : listed(read(production));
    return [
      {
        group: "loading",
        what,
        required: null,
        candidate: listed(found),
        production: before,
        met: null,
      },
    ];
  };
  const { left_out } = candidate;
  return [
    ...row("pickles import from", (one) => one.modules),
    ...row("imports that can do anything", (one) => one.reaching),
    ...row("brings code of its own", (one) => one.by_value),
    ...row("types it calls trusted", (one) => one.trusted_types),
    ...row("not all is known of", (one) => one.unread),
    ...(left_out === 0
      ? []
      : row("entries not kept", (one) => (one.left_out === 0 ? [] : [String(one.left_out)]))),
  ];
}

function listed(names: readonly string[]): string {
  if (names.length === 0) return "none";
  const few = names.slice(0, SHOWN).join(", ");
  return names.length > SHOWN ? `${few} and ${names.length - SHOWN} more` : few;
}
