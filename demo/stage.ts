import { randomBytes, randomUUID } from "node:crypto";
import { mkdir, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { PostgresSaver } from "@langchain/langgraph-checkpoint-postgres";
import { execa } from "execa";
import { z } from "zod";
import { connectModelDeployer } from "../src/wiring/connect_model_deployer.ts";
import type { ModelDeployer } from "../src/wiring/model_deployer.ts";
import { type Configuration, readConfiguration } from "../src/wiring/settings/configuration.ts";
import { mlflowEnvironment } from "../src/wiring/settings/mlflow_settings.ts";
import { servingRequirements } from "../src/mlops/bentoml/packaging/build_context.ts";
import { childEnvironment } from "../src/platform/processes/managed_process.ts";
import {
  ensureModelEnvironment,
  ensureToolsEnvironment,
  type ToolsEnvironment,
} from "../src/platform/python/python_environment.ts";
import { endFolder } from "../src/platform/processes/homes/ended_folder.ts";
import { tieToFolder } from "../src/platform/processes/homes/throwaway_home.ts";
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
  readonly #struck = new AbortController();
  #home: { folder: string; throwAway: () => Promise<void> } | null = null;
  #assembled: Promise<unknown> = Promise.resolve();
  #deployer: ModelDeployer | null = null;
  #saver: PostgresSaver | null = null;

  /** Services, training and the environment of the models are got ready side by side. */
  async build(): Promise<Stage> {
    const home = await mkdtemp(join(tmpdir(), "model-deployer-demo-"));
    this.#home = { folder: home, throwAway: tieToFolder(home) };
    // Whoever is ended in the middle of a file leaves it to the home, which goes.
    const work = { env: { TMPDIR: join(home, "tmp") }, signal: this.#struck.signal };
    await mkdir(work.env.TMPDIR);
    const configuration = { ...readConfiguration(process.env), home, retentionSeconds: 600 };
    const tools = await ensureToolsEnvironment({ cacheDirectory: configuration.cache });
    story.tell("bringing up Postgres, Redis and MLflow where no address is set");
    story.tell("training three classifiers on scikit-learn's breast cancer data");
    const training = startTraining(tools, work);
    const assembled = this.#assemble(configuration).then((made) => {
      const { addresses } = made.deployer;
      story.good(`ready: MLflow at ${addresses.mlflowUrl}`);
      training.stdin.end(JSON.stringify(mlflowEnvironment(addresses)));
      return made;
    });
    this.#assembled = assembled;
    const environment = prepareServing(tools, configuration.cache, work);
    const [{ deployer, approverToken }, { stdout }] = await Promise.all([assembled, training, environment]);
    const { runs, rows } = trainedSchema.parse(JSON.parse(stdout.trim().split("\n").at(-1) ?? ""));
    for (const run of runs) story.detail(`${run.name}: ${formatMetrics(run.metrics)}`);
    const experimentId = `breast_cancer_${randomUUID().slice(0, 8)}`;
    return { deployer, experimentId, approverToken, runs, rows };
  }

  async #assemble(configuration: Configuration): Promise<{ deployer: ModelDeployer; approverToken: string }> {
    const tokens = { engineer: randomBytes(24).toString("hex"), approver: randomBytes(24).toString("hex") };
    const options = { installation: "demo", onProgress: story.setUp } as const;
    const first = await connectModelDeployer({ ...configuration, token: null }, options);
    await first.database.principals.enrol(`ana_${tokens.engineer.slice(0, 6)}`, tokens.engineer);
    await first.database.principals.enrol(`omar_${tokens.approver.slice(0, 6)}`, tokens.approver);
    await first.close();
    const saver = PostgresSaver.fromConnString(first.addresses.databaseOwnerUrl);
    this.#saver = saver;
    await saver.setup();
    const asAna = { ...configuration, token: tokens.engineer };
    this.#deployer = await connectModelDeployer(asAna, { installation: "demo", checkpointer: saver });
    return { deployer: this.#deployer, approverToken: tokens.approver };
  }

  /** Ends every process and removes the home. Idempotent, and safe when `build` has not finished. */
  async strike(): Promise<void> {
    this.#struck.abort();
    await this.#close();
    await this.#home?.throwAway();
    // What was still being set up has lost its services, and may have made folders of the home anew meanwhile.
    await Promise.allSettled([this.#assembled]);
    await this.#close();
    if (this.#home !== null) await endFolder(this.#home.folder);
    this.#home = null;
  }

  async #close(): Promise<void> {
    await this.#deployer?.close();
    this.#deployer = null;
    await this.#saver?.end();
    this.#saver = null;
  }
}

/** What the demo's own programs are started with. */
interface Work {
  env: { TMPDIR: string };
  signal: AbortSignal;
}

/** Reads where the registry is, and as whom it is asked, when it has imported what it needs, which takes as long as bringing the registry up. */
function startTraining({ python }: ToolsEnvironment, { env, signal }: Work) {
  const script = fileURLToPath(new URL("../src/cli/example/train.py", import.meta.url));
  return execa(python, [script], {
    env: childEnvironment({ ...env, MLFLOW_DISABLE_TELEMETRY: "true", MLFLOW_LOGGING_LEVEL: "ERROR" }),
    extendEnv: false,
    stdin: "pipe",
    cancelSignal: signal,
  });
}

/** Environments are made when a version is first served; making it here keeps the first deployment within its SLA. */
async function prepareServing(
  { python, uv }: ToolsEnvironment,
  cacheDirectory: string,
  { env, signal }: Work,
): Promise<void> {
  const script = fileURLToPath(new URL("../src/cli/example/requirements.py", import.meta.url));
  const { stdout } = await execa(python, [script], { env: childEnvironment(env), extendEnv: false });
  const requirements = [...stdout.trim().split("\n"), ...servingRequirements];
  await ensureModelEnvironment({ cacheDirectory, requirements, uv, onProgress: story.setUp, signal });
}

function formatMetrics(metrics: Record<string, number>): string {
  return Object.entries(metrics)
    .map(([name, value]) => `${name} ${value.toFixed(3)}`)
    .join("  ");
}
