import { z } from "zod";
import { ServiceRefusedError } from "../../agents/model_deployer/errors.ts";
import { SERVICE } from "./mlflow_errors.ts";

/** Above the size of any answer but an artifact: a listing of 10,000 files is about 1 MB. */
const MAXIMUM_ANSWER_BYTES = 32 * 1024 * 1024;

/** @throws ServiceRefusedError */
export async function readText(body: AsyncIterable<Uint8Array>): Promise<string> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of body) {
    bytes += piece.byteLength;
    if (bytes > MAXIMUM_ANSWER_BYTES) {
      throw new ServiceRefusedError(
        SERVICE,
        `MLflow sent more than ${MAXIMUM_ANSWER_BYTES} bytes as one answer.`,
      );
    }
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString("utf8");
}

/** @throws ServiceRefusedError */
export function parseAnswer<T>(call: string, text: string, schema: z.ZodType<T>): T {
  const parsed = schema.safeParse(parseLenientJson(call, text));
  if (parsed.success) return parsed.data;
  throw new ServiceRefusedError(
    SERVICE,
    `MLflow answered ${call} with something else than expected: ${z.prettifyError(parsed.error)}`,
    { cause: parsed.error },
  );
}

/** Bare NaN and Infinity, which Python's JSON writer allows, become strings, as MLflow 3.17 sends NaN. */
function parseLenientJson(call: string, text: string): unknown {
  const quoted = text.replace(/"(?:[^"\\]|\\.)*"|\bNaN\b|-?\bInfinity\b/g, (token) =>
    token.startsWith('"') ? token : `"${token}"`,
  );
  try {
    return JSON.parse(quoted);
  } catch (cause) {
    throw new ServiceRefusedError(
      SERVICE,
      `MLflow answered ${call} with something that is no JSON; check that MLFLOW_TRACKING_URI names an MLflow server.`,
      { cause },
    );
  }
}

const keyValueSchema = z.object({ key: z.string(), value: z.string().default("") });

export const runAnswerSchema = z.object({
  run: z.object({
    info: z.object({
      run_id: z.string(),
      status: z.enum(["RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED"]),
      artifact_uri: z.string(),
      lifecycle_stage: z.string().default("active"),
    }),
    data: z
      .object({
        metrics: z.array(z.object({ key: z.string(), value: z.union([z.number(), z.string()]) })).default([]),
        tags: z.array(keyValueSchema).default([]),
      })
      .default({ metrics: [], tags: [] }),
    outputs: z
      .object({ model_outputs: z.array(z.object({ model_id: z.string() })).default([]) })
      .default({ model_outputs: [] }),
  }),
});
export type MLflowRun = z.infer<typeof runAnswerSchema>["run"];

export const loggedModelAnswerSchema = z.object({
  model: z.object({
    info: z.object({
      model_id: z.string(),
      name: z.string(),
      artifact_uri: z.string(),
      status: z.string(),
      source_run_id: z.string().default(""),
      creation_timestamp_ms: z.coerce.number(),
    }),
  }),
});
export type MLflowLoggedModel = z.infer<typeof loggedModelAnswerSchema>["model"]["info"];

const modelVersionSchema = z.object({
  name: z.string(),
  version: z.string().regex(/^\d+$/).transform(Number),
  source: z.string().default(""),
  run_id: z.string().default(""),
  current_stage: z.string().default("None"),
  tags: z.array(keyValueSchema).default([]),
  aliases: z.array(z.string()).default([]),
});
export type MLflowModelVersion = z.infer<typeof modelVersionSchema>;

export const modelVersionAnswerSchema = z.object({ model_version: modelVersionSchema });
export const modelVersionsAnswerSchema = z.object({
  model_versions: z.array(modelVersionSchema).default([]),
  next_page_token: z.string().default(""),
});
export const downloadUriAnswerSchema = z.object({ artifact_uri: z.string() });
/** The answer of calls that only acknowledge. */
export const acknowledgementSchema = z.object({});

export const artifactListSchema = z.object({
  files: z
    .array(
      z.object({
        path: z.string(),
        is_dir: z.boolean().default(false),
        file_size: z.coerce.number().nullable().default(null),
      }),
    )
    .default([]),
});
export type ArtifactEntry = z.infer<typeof artifactListSchema>["files"][number];
