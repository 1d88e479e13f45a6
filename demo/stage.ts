import { randomBytes, randomUUID } from "node:crypto";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { PostgresSaver } from "@langchain/langgraph-checkpoint-postgres";
import { execa } from "execa";
import { z } from "zod";
import {
  createModelDeployer,
  type ModelDeployer,
} from "../src/agents/model_deployer/create_model_deployer.ts";
import { type Configuration, readConfiguration } from "../src/configuration.ts";
import { readRequirements } from "../src/mlops/bentoml/artifact_folder.ts";
import { childEnvironment } from "../src/platform/managed_process.ts";
import { ensureModelEnvironment, ensureToolsEnvironment } from "../src/platform/python_environment.ts";
import { throwAwayWithProcess } from "../src/platform/throwaway_home.ts";
import type { FeatureRow } from "./load.ts";
import { story } from "./story.ts";

const featureRows = z.array(z.record(z.string(), z.number()));
const trainedSchema = z.object({
  runs: z.array(
    z.object({ name: z.string(), run_id: z.string(), metrics: z.record(z.string(), z.number()) }),
  ),
  rows: z.object({ usual: featureRows, largest: featureRows }),
});
export type TrainedRun = z.infer<typeof trainedSchema>["runs"][number];

export interface Stage {
  deployer: ModelDeployer;
  experimentId: string;
  /** The token of the principal who may approve; the deployer itself asks as somebody else. */
  approverToken: string;
  runs: TrainedRun[];
  rows: { usual: FeatureRow[]; largest: FeatureRow[] };
}

/** Everything that the demo needs, in a home of its own that goes with `strike`, or with this process. */
export class Theatre {
  #throwAway: (() => Promise<void>) | null = null;
  #deployer: ModelDeployer | null = null;
  #saver: PostgresSaver | null = null;

  async build(): Promise<Stage> {
    const home = await mkdtemp(join(tmpdir(), "model-deployer-demo-"));
    this.#throwAway = throwAwayWithProcess(home);
    const configuration = { ...readConfiguration(process.env), home, retentionSeconds: 600 };
    story.tell("bringing up Postgres, Redis and MLflow where no address is set");
    const tokens = await enrolPrincipals(configuration);
    const deployer = await this.#assemble({ ...configuration, token: tokens.engineer });
    story.good(`ready: MLflow at ${deployer.addresses.mlflowUrl}`);
    story.tell("training three classifiers on scikit-learn's breast cancer data");
    const { runs, rows } = await train(configuration.cache, deployer.addresses.mlflowUrl);
    for (const run of runs) story.detail(`${run.name}: ${formatMetrics(run.metrics)}`);
    await prepareServing(deployer, configuration.cache, runs);
    const experimentId = `breast_cancer_${randomUUID().slice(0, 8)}`;
    return { deployer, experimentId, approverToken: tokens.approver, runs, rows };
  }

  async #assemble(configuration: Configuration): Promise<ModelDeployer> {
    const first = await createModelDeployer(configuration, { installation: "demo" });
    await first.close();
    const saver = PostgresSaver.fromConnString(first.addresses.databaseUrl);
    await saver.setup();
    this.#saver = saver;
    this.#deployer = await createModelDeployer(configuration, { installation: "demo", checkpointer: saver });
    return this.#deployer;
  }

  /** Ends every process and removes the home. Idempotent, and safe when `build` has not finished. */
  async strike(): Promise<void> {
    await this.#deployer?.close();
    this.#deployer = null;
    await this.#saver?.end();
    this.#saver = null;
    await this.#throwAway?.();
    this.#throwAway = null;
  }
}

async function enrolPrincipals(
  configuration: Configuration,
): Promise<{ engineer: string; approver: string }> {
  const tokens = { engineer: randomBytes(24).toString("hex"), approver: randomBytes(24).toString("hex") };
  const options = { installation: "demo", onProgress: story.setUp } as const;
  const deployer = await createModelDeployer({ ...configuration, token: null }, options);
  await deployer.database.principals.enrol(`ana_${tokens.engineer.slice(0, 6)}`, tokens.engineer);
  await deployer.database.principals.enrol(`omar_${tokens.approver.slice(0, 6)}`, tokens.approver);
  await deployer.close();
  return tokens;
}

async function train(cache: string, mlflowUrl: string): Promise<z.infer<typeof trainedSchema>> {
  const { python } = await ensureToolsEnvironment({ cacheDirectory: cache });
  const script = fileURLToPath(new URL("./train.py", import.meta.url));
  const { stdout } = await execa(python, [script, mlflowUrl], {
    env: childEnvironment({ MLFLOW_DISABLE_TELEMETRY: "true", MLFLOW_LOGGING_LEVEL: "ERROR" }),
    extendEnv: false,
    timeout: 180_000,
  });
  const lastLine = stdout.trim().split("\n").at(-1) ?? "";
  return trainedSchema.parse(JSON.parse(lastLine));
}

/** Environments are made when a version is first served; making them here keeps the first deployment within its SLA. */
async function prepareServing(
  { parts }: ModelDeployer,
  cacheDirectory: string,
  runs: TrainedRun[],
): Promise<void> {
  const signal = AbortSignal.timeout(600_000);
  const { uv } = await ensureToolsEnvironment({ cacheDirectory });
  for (const { run_id } of runs) {
    const artifact = await parts.registry.fetchArtifact(`runs:/${run_id}/model`, { signal });
    const requirements = await readRequirements(artifact.path);
    await ensureModelEnvironment({ cacheDirectory, requirements, uv, onProgress: story.setUp, signal });
  }
}

function formatMetrics(metrics: Record<string, number>): string {
  return Object.entries(metrics)
    .map(([name, value]) => `${name} ${value.toFixed(3)}`)
    .join("  ");
}
