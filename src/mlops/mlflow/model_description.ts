import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "yaml";
import { z } from "zod";
import type {
  ModelSignature,
  SignatureField,
} from "../../agents/model_deployer/domain/models/model_signature.ts";
import { ArtifactRejectedError } from "../../agents/model_deployer/errors.ts";
import { isMissing } from "../../platform/system_errors.ts";

/** The file of a model's folder in which MLflow describes it. */
export const DESCRIPTION_FILE = "MLmodel";

const descriptionSchema = z.object({
  flavors: z.record(z.string(), z.unknown()).nullish(),
  signature: z
    .object({ inputs: z.string().nullish(), outputs: z.string().nullish(), params: z.string().nullish() })
    .nullish(),
});

/** A type as MLflow writes it: a name, or an array, an object or a map of further ones. */
interface NestedType {
  type: string;
  items?: NestedType | undefined;
  values?: NestedType | undefined;
  properties?: Record<string, NestedType & { required?: boolean | undefined }> | undefined;
}
const nestedTypeSchema: z.ZodType<NestedType> = z.lazy(() =>
  z.object({
    type: z.string(),
    items: nestedTypeSchema.optional(),
    values: nestedTypeSchema.optional(),
    properties: z
      .record(z.string(), z.intersection(nestedTypeSchema, z.object({ required: z.boolean().optional() })))
      .optional(),
  }),
);

const fieldSchema = z.intersection(
  nestedTypeSchema,
  z.object({
    name: z.string().nullish(),
    required: z.boolean().default(true),
    "tensor-spec": z.object({ dtype: z.string(), shape: z.array(z.int()) }).optional(),
  }),
);
const fieldsSchema = z.array(fieldSchema);
/** A parameter always has a default, so no request has to give it. */
const paramsSchema = z.array(
  z.object({
    name: z.string(),
    type: z.string().nullish(),
    dtype: z.string().nullish(),
    shape: z.unknown().optional(),
  }),
);

/** The kinds of model that an `MLmodel` file names; none where it cannot be read. */
export function flavorsOf(text: string): string[] {
  try {
    return Object.keys(descriptionSchema.parse(parse(text)).flavors ?? {});
  } catch {
    return [];
  }
}

/**
 * The signature of an `MLmodel` file; null where it has none.
 * @throws ArtifactRejectedError where it cannot be read, for a server could not either
 */
export function signatureOf(text: string, where: string): ModelSignature | null {
  try {
    const signature = descriptionSchema.parse(parse(text)).signature ?? null;
    if (signature === null) return null;
    const { inputs, outputs, params } = signature;
    return {
      inputs: fieldsOf(inputs),
      outputs: fieldsOf(outputs),
      params: paramsSchema.parse(listed(params)).map(({ name, type, dtype, shape }) => ({
        name,
        type: `${shape === undefined || shape === null ? "" : "array of "}${type ?? dtype ?? "any"}`,
        required: false,
      })),
    };
  } catch (cause) {
    throw new ArtifactRejectedError(
      `The ${DESCRIPTION_FILE} file of ${where} has a signature that cannot be read; log the model again.`,
      { cause },
    );
  }
}

/** The signature of the model in a folder; null where there is no model, or none with a signature. */
export async function signatureIn(folder: string, where: string): Promise<ModelSignature | null> {
  try {
    return signatureOf(await readFile(join(folder, DESCRIPTION_FILE), "utf8"), where);
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

const listed = (text: string | null | undefined): unknown => (text ? JSON.parse(text) : null) ?? [];

function fieldsOf(text: string | null | undefined): SignatureField[] {
  return fieldsSchema.parse(listed(text)).map((field) => {
    const tensor = field["tensor-spec"];
    const type =
      tensor === undefined ? typeText(field) : `tensor of ${tensor.dtype} [${tensor.shape.join(", ")}]`;
    return { name: field.name ?? null, type, required: field.required };
  });
}

function typeText({ type, items, values, properties }: NestedType): string {
  if (items !== undefined) return `${type} of ${typeText(items)}`;
  if (values !== undefined) return `${type} of ${typeText(values)}`;
  if (properties === undefined) return type;
  const inner = Object.entries(properties)
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([name, of]) => `${name}${of.required === false ? "?" : ""}: ${typeText(of)}`);
  return `${type} {${inner.join(", ")}}`;
}
