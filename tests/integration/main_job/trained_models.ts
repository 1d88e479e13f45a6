import { execa } from "execa";
import { inject } from "vitest";
import { z } from "zod";
import { mlflowEnvironment } from "../../../src/wiring/settings/mlflow_settings.ts";
import type { ModelRegistry } from "../../../src/agents/model_deployer/ports/model_registry_port.ts";
import { readRequirements } from "../../../src/mlops/bentoml/packaging/artifact_environment.ts";
import { childEnvironment } from "../../../src/platform/processes/managed_process.ts";
import {
  ensureModelEnvironment,
  ensureToolsEnvironment,
} from "../../../src/platform/python/python_environment.ts";

const rowsSchema = z.array(z.record(z.string(), z.number()));
const trainedSchema = z.object({
  runs: z.array(z.object({ name: z.string(), run_id: z.string() })),
  /** Of the largest, `v3` answers none; every model answers the usual ones. */
  rows: z.object({ usual: rowsSchema, largest: rowsSchema }),
});
export type TrainedModels = z.infer<typeof trainedSchema>;

/** The demo's three models, trained anew and logged to the tests' MLflow. */
export async function trainModels(): Promise<TrainedModels> {
  const { python } = await ensureToolsEnvironment({ cacheDirectory: inject("cacheDirectory") });
  const { stdout } = await execa(python, ["src/cli/example/train.py"], {
    env: childEnvironment(mlflowEnvironment(inject("mlflow"))),
    extendEnv: false,
  });
  return trainedSchema.parse(JSON.parse(stdout.trim().split("\n").at(-1) ?? ""));
}

export function runOf({ runs }: TrainedModels, name: string): string {
  return runs.find((one) => one.name === name)?.run_id ?? "";
}

/** Made here, so that the first deployment is not the one that waits for packages. */
export async function prepareServing(registry: ModelRegistry, runId: string): Promise<void> {
  const cacheDirectory = inject("cacheDirectory");
  const signal = AbortSignal.timeout(500_000);
  const { uv } = await ensureToolsEnvironment({ cacheDirectory });
  const artifact = await registry.fetchArtifact(`runs:/${runId}/model`, { signal });
  await ensureModelEnvironment({
    cacheDirectory,
    requirements: await readRequirements(artifact.path),
    uv,
    signal,
  });
}
