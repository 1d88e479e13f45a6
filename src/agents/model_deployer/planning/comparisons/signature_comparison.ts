import type { ModelVersion } from "../../domain/entities.ts";
import type {
  ColumnDifference,
  SignatureComparison,
  SignatureField,
} from "../../domain/models/model_signature.ts";
import type { Decision } from "../../domain/plan.ts";
import { namesOf } from "../wording/plan_names.ts";

type WithSignature = Pick<ModelVersion, "model_version_id" | "signature">;
type Part = ColumnDifference["part"];

/** Numbers that callers have sent as one type are taken as the other as well. */
const TAKEN_AS_WELL: Readonly<Record<string, readonly string[]>> = {
  integer: ["long", "float", "double"],
  long: ["double"],
  float: ["double"],
};

/** Null where there is nothing to compare: nothing stands before it, or the same version does. */
export function compareSignatures(
  version: WithSignature,
  before: WithSignature | null,
): SignatureComparison | null {
  if (before === null || before.model_version_id === version.model_version_id) return null;
  const ids = { model_version_id: version.model_version_id, compared_with: before.model_version_id };
  const old = before.signature;
  const own = version.signature;
  if (old === null || own === null) {
    const without = [version, before].filter(({ signature }) => signature === null);
    return { ...ids, without_signature: without.map((one) => one.model_version_id), differences: [] };
  }
  return {
    ...ids,
    without_signature: [],
    differences: [
      ...differencesOf("input", old.inputs, own.inputs),
      ...differencesOf("output", old.outputs, own.outputs),
      ...differencesOf("param", old.params, own.params),
    ],
  };
}

function differencesOf(part: Part, old: SignatureField[], own: SignatureField[]): ColumnDifference[] {
  const before = byName(old);
  const after = byName(own);
  const gone = [...before].filter(([column]) => !after.has(column));
  return [
    ...[...after].flatMap(([column, field]) => changesOf(part, column, before.get(column), field)),
    ...gone.map(([column, { type }]): ColumnDifference => {
      return { part, column, change: "gone", before: type, after: null, breaks_callers: part === "output" };
    }),
  ];
}

function byName(fields: SignatureField[]): Map<string, SignatureField> {
  return new Map(fields.map((field, index) => [field.name ?? `#${index + 1}`, field]));
}

function changesOf(
  part: Part,
  column: string,
  before: SignatureField | undefined,
  { type, required }: SignatureField,
): ColumnDifference[] {
  const isSent = part === "input";
  if (before === undefined) {
    return [{ part, column, change: "new", before: null, after: type, breaks_callers: isSent && required }];
  }
  const both = { part, column, before: before.type, after: type };
  const isTaken = TAKEN_AS_WELL[before.type]?.includes(type) ?? false;
  return [
    ...(before.type === type ? [] : [{ ...both, change: "another_type" as const, breaks_callers: !isTaken }]),
    ...(isSent && required && !before.required
      ? [{ ...both, change: "newly_required" as const, breaks_callers: true }]
      : []),
  ];
}

/** One sentence for each column that differs, or for what has no signature; none where all is alike. */
function signatureSentences({
  without_signature,
  differences,
  compared_with,
}: SignatureComparison): string[] {
  return [
    ...without_signature.map((id) => `${id} has no signature, so no columns are compared.`),
    ...differences.map((one) => columnSentence(one, compared_with)),
  ];
}

/** For the answer of an action: each column for which callers have to change. */
function signatureWarnings(signature: SignatureComparison): string[] {
  const breaking = signature.differences.filter((one) => one.breaks_callers);
  return breaking.map((one) => columnSentence(one, signature.compared_with));
}

function columnSentence(one: ColumnDifference, against: string): string {
  const end = one.breaks_callers ? ": its callers have to change" : "";
  return `Against ${against}, ${columnText(one)}${end}.`;
}

/** Such as `input age is new and required (double)`. */
export function columnText({
  part,
  column,
  change,
  before,
  after,
  breaks_callers,
}: ColumnDifference): string {
  const named = `${part} ${column}`;
  switch (change) {
    case "new":
      return `${named} is new${breaks_callers ? " and required" : ""} (${after ?? ""})`;
    case "gone":
      return `${named} is gone (${before ?? ""})`;
    case "another_type":
      return `${named} is ${after ?? ""} and was ${before ?? ""}`;
    case "newly_required":
      return `${named} is required now (${after ?? ""})`;
    default:
      return change satisfies never;
  }
}

/** The plan with the comparison: as data, as evidence for whoever approves, and as warnings in its answer. */
export function withSignature(
  decision: Decision,
  version: ModelVersion,
  before: ModelVersion | null,
): Decision {
  const signature = compareSignatures(version, before);
  if (decision.decision === "refusal" || signature === null) return decision;
  const { plan } = decision;
  const sentences = signatureSentences(signature);
  const alike = `The same columns as ${signature.compared_with}.`;
  return {
    decision: "plan",
    plan: {
      ...plan,
      signature,
      evidence: { ...plan.evidence, signature: sentences.length === 0 ? [alike] : sentences },
      draft: { ...plan.draft, notes: [...plan.draft.notes, ...signatureWarnings(signature)] },
      names: { ...namesOf({ versions: [version, before] }), ...plan.names },
    },
  };
}
