import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { z } from "zod";
import { childEnvironment } from "../../src/platform/processes/child_environment.ts";
import {
  ensureModelEnvironment,
  ensureToolsEnvironment,
} from "../../src/platform/python/python_environment.ts";

/** One process each, so that no more than one kind of library is in memory at a time. */
export const groups = [
  "models_sklearn",
  "models_arrays",
  "models_pyfunc",
  "models_prepared",
  "models_boosted",
  "models_networks",
  "models_others",
] as const;

const requirements = [
  "mlflow==3.17.2",
  "scikit-learn==1.9.1",
  "skops==0.16.0",
  "pandas==2.3.3",
  "numpy==2.4.6",
  "xgboost-cpu==3.2.0",
  "lightgbm==4.7.0",
  "catboost==1.2.10",
  "statsmodels==0.15.0",
  "lifelines==0.30.3",
  "onnx==1.23.2",
  "onnxruntime==1.32.0",
  "skl2onnx==1.20.0",
  // Which the quick way to answer needs.
  "msgspec",
  "openapi-spec-validator==0.9.0",
];
/** From a folder of wheels only: what the index has brings gigabytes for graphics cards. */
const torch = "torch==2.13.0+cpu";
const here = fileURLToPath(new URL("./", import.meta.url));
const template = fileURLToPath(new URL("../../src/mlops/bentoml/service_template/", import.meta.url));

const differenceSchema = z.object({ ask: z.string(), ours: z.unknown(), theirs: z.unknown() });
const comparedSchema = z.object({
  model: z.string(),
  requests: z.int().default(0),
  /** How many requests had which outcome: `equal`, `different`, or a row of docs/serving.md. */
  verdicts: z.record(z.string(), z.int()).default({}),
  different: z.array(differenceSchema).default([]),
  /** What is not installed here. */
  skipped: z.string().optional(),
  failed: z.string().optional(),
});
export type Compared = z.infer<typeof comparedSchema>;

/** The environment of all models that are compared; made once. */
export async function ensureComparedEnvironment(cacheDirectory: string): Promise<string> {
  const { uv } = await ensureToolsEnvironment({ cacheDirectory });
  const more = (await hasTorchWheel()) ? [torch] : [];
  const options = { cacheDirectory, uv, requirements: [...requirements, ...more] };
  return (await ensureModelEnvironment(options)).python;
}

async function hasTorchWheel(): Promise<boolean> {
  const folder = process.env["UV_FIND_LINKS"] ?? process.env["PIP_FIND_LINKS"];
  if (folder === undefined) return false;
  const files = await readdir(folder).catch(() => []);
  return files.some((name) => name.startsWith("torch-2.13.0+cpu-cp311-") && name.includes(process.platform));
}

/** Each model of a group: what we answer, and what MLflow does. */
export async function compareGroup(python: string, group: (typeof groups)[number]): Promise<Compared[]> {
  const directory = await mkdtemp(join(tmpdir(), "model-deployer-answers-"));
  try {
    const result = join(directory, "result.json");
    await execa(python, [join(here, "compare.py"), template, group, result], {
      cwd: directory,
      env: childEnvironment({
        MLFLOW_DISABLE_TELEMETRY: "true",
        // The first prediction of some imports for long.
        MODEL_DEPLOYER_PREDICTION_SECONDS: "600",
        PYTHONDONTWRITEBYTECODE: "1",
        TMPDIR: directory,
      }),
      extendEnv: false,
      timeout: 1_800_000,
    });
    return z.array(comparedSchema).parse(JSON.parse(await readFile(result, "utf8")));
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
