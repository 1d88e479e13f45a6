import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { z } from "zod";
import { ServiceUnavailableError } from "../../agents/model_deployer/errors.ts";
import { servingRequirements } from "../../mlops/bentoml/packaging/build_context.ts";
import { childEnvironment } from "../../platform/processes/child_environment.ts";
import { ensureModelEnvironment, type ToolsEnvironment } from "../../platform/python/python_environment.ts";
import { isMissing } from "../../platform/system_errors.ts";
import { type MLflowAccess, mlflowEnvironment } from "../../wiring/settings/mlflow_settings.ts";

const featureRows = z.array(z.record(z.string(), z.number()));
const exampleSchema = z.object({
  runs: z.array(
    z.object({ name: z.string(), run_id: z.string(), metrics: z.record(z.string(), z.number()) }),
  ),
  rows: z.object({ usual: featureRows, largest: featureRows }),
});
/** Three runs of a model family, and what its callers ask about. */
export type TrainedExample = z.infer<typeof exampleSchema>;

export const EXAMPLE_EXPERIMENT = {
  experiment_id: "breast_cancer",
  experiment_name: "Breast cancer",
  prediction_target: "benign",
  minimum_auc: 0.95,
  minimum_precision_at_k: 0.85,
  maximum_fpr: 0.2,
};

export const EXAMPLE_POLICY = {
  kind: "demo",
  minimum_shadow_hours: 10 / 3600,
  minimum_shadow_requests: 50,
  maximum_shadow_error_rate: 0.01,
  maximum_shadow_p99_ms: 600_000,
  approvals_for_production: 1,
  judge: { minimum_samples: 20, maximum_latency_ratio: null },
  reason: "the example shows in a minute what takes a day: 10 s of shadow stand in for 24 h",
} as const;

const file = (home: string): string => join(home, "example", "trained.json");

/** Null where the example was not trained in this home. */
export async function readExample(home: string): Promise<TrainedExample | null> {
  try {
    return exampleSchema.parse(JSON.parse(await readFile(file(home), "utf8")));
  } catch (error) {
    if (isMissing(error)) return null;
    throw error;
  }
}

export interface TrainingOptions {
  home: string;
  cache: string;
  tools: ToolsEnvironment;
  mlflow: MLflowAccess;
  tell: (text: string) => void;
  signal: AbortSignal;
}

/**
 * Trains three classifiers on scikit-learn's breast cancer data, logs them to MLflow and keeps what they were; the same
 * again reads that. @throws ServiceUnavailableError
 */
export async function trainExample(options: TrainingOptions): Promise<TrainedExample> {
  const before = await readExample(options.home);
  if (before !== null) return before;
  const { home, tools, mlflow, tell, signal } = options;
  tell("training three classifiers on scikit-learn's breast cancer data");
  const [text] = await Promise.all([
    runPython(tools, "train.py", mlflowEnvironment(mlflow), signal),
    prepareServing(options),
  ]);
  const trained = exampleSchema.parse(JSON.parse(text.trim().split("\n").at(-1) ?? ""));
  await mkdir(join(home, "example"), { recursive: true, mode: 0o700 });
  await writeFile(`${file(home)}.new`, JSON.stringify(trained));
  await rename(`${file(home)}.new`, file(home));
  return trained;
}

/** Environments are made when a version is first served; made here, the first deployment takes seconds. */
async function prepareServing({ tools, cache, tell, signal }: TrainingOptions): Promise<void> {
  const ofModels = (await runPython(tools, "requirements.py", {}, signal)).trim().split("\n");
  await ensureModelEnvironment({
    cacheDirectory: cache,
    requirements: [...ofModels, ...servingRequirements],
    uv: tools.uv,
    onProgress: tell,
    signal,
  });
}

async function runPython(
  { python }: ToolsEnvironment,
  script: string,
  extra: Record<string, string>,
  signal: AbortSignal,
): Promise<string> {
  const path = fileURLToPath(new URL(`./${script}`, import.meta.url));
  const env = childEnvironment({ MLFLOW_DISABLE_TELEMETRY: "true", MLFLOW_LOGGING_LEVEL: "ERROR", ...extra });
  try {
    const run = await execa(python, [path], { env, extendEnv: false, cancelSignal: signal });
    return run.stdout;
  } catch (cause) {
    const said = cause instanceof Error ? cause.message : String(cause);
    throw new ServiceUnavailableError("the example's training", said, { cause });
  }
}
