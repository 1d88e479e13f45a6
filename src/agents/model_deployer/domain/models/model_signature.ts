import { z } from "zod";

const signatureFieldSchema = z.strictObject({
  /** Null for a column or tensor without a name, which is known by its place alone. */
  name: z.string().nullable(),
  /** Such as `double`, `array of long` or `tensor of float64 [-1, 3]`. */
  type: z.string(),
  required: z.boolean(),
});
export type SignatureField = z.infer<typeof signatureFieldSchema>;

export const modelSignatureSchema = z.strictObject({
  inputs: z.array(signatureFieldSchema),
  outputs: z.array(signatureFieldSchema),
  params: z.array(signatureFieldSchema),
});
/** The columns that a model takes and answers, as it was logged. */
export type ModelSignature = z.infer<typeof modelSignatureSchema>;

const columnDifferenceSchema = z.strictObject({
  part: z.enum(["input", "output", "param"]),
  /** Its name, or its place such as `#1`. */
  column: z.string(),
  change: z.enum(["new", "gone", "another_type", "newly_required"]),
  /** The type before; null for a new column. */
  before: z.string().nullable(),
  /** The type after; null for one that is gone. */
  after: z.string().nullable(),
  /** Whether requests that were right before are refused now, or an answer lacks what it had. */
  breaks_callers: z.boolean(),
});
export type ColumnDifference = z.infer<typeof columnDifferenceSchema>;

export const signatureComparisonSchema = z.strictObject({
  /** The version that a plan brings forward. */
  model_version_id: z.string(),
  /** The version that serves, or stands at production, before the plan. */
  compared_with: z.string(),
  /** Those of the two that have no signature; nothing is compared then. */
  without_signature: z.array(z.string()),
  differences: z.array(columnDifferenceSchema),
});
/** How the columns that callers send and get differ between two versions. */
export type SignatureComparison = z.infer<typeof signatureComparisonSchema>;

/** The signature that callers meet where a preprocessing comes first: its inputs and the model's outputs. */
export function signatureBehind(
  preprocessing: ModelSignature | null,
  model: ModelSignature | null,
): ModelSignature | null {
  if (preprocessing === null) return null;
  return { ...preprocessing, outputs: model?.outputs ?? [] };
}
