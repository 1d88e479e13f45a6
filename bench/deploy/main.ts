import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import pg from "pg";
import { z } from "zod";
import { connectModelDeployer } from "../../src/wiring/connect_model_deployer.ts";
import type { ModelDeployer } from "../../src/wiring/model_deployer.ts";
import { NotFoundError } from "../../src/agents/model_deployer/errors.ts";
import type { Configuration } from "../../src/wiring/settings/configuration.ts";
import { type MLflowAccess, mlflowEnvironment } from "../../src/wiring/settings/mlflow_settings.ts";
import { readRequirements } from "../../src/mlops/bentoml/packaging/artifact_environment.ts";
import { childEnvironment } from "../../src/platform/processes/managed_process.ts";
import {
  ensureModelEnvironment,
  ensureToolsEnvironment,
} from "../../src/platform/python/python_environment.ts";
import { type AdoptedWay, Adoptions } from "./adoption.ts";
import { deployByHand, type Hand, type HandTimes } from "./by_hand.ts";
import { inPairs, median } from "../support/figures.ts";
import { type Opened, runInHome } from "../support/home.ts";
import { option, printMachine, printTable, say } from "../support/report.ts";

/**
 * The cost of a deployment through the agent over doing it by hand: from the request to the manifest, on an endpoint of
 * its own each time, against `bentoml build` and `bentoml serve` until it is ready and has predicted once. Both serve
 * from the same environment; by hand the artifact is on disk already, the agent fetches it and checks its digest.
 *
 * Then versions go from staging over their shadow to production, where the running server is adopted twice: its CPU and the
 * time, beside those of its start at staging.
 *
 * usage: npm run bench:deploy -- [--pairs=7] [--adoptions=3]
 */
const PAIRS = option("pairs", 7, 0);
const ADOPTIONS = option("adoptions", 3);

interface Version {
  model_version_id: string;
  artifact: string;
}

interface AgentTimes {
  total: number;
  /** By step, from the record of the one before it. */
  steps: Map<string, number>;
}

async function train(configuration: Configuration, mlflow: MLflowAccess, count: number): Promise<string[]> {
  const { python } = await ensureToolsEnvironment({ cacheDirectory: configuration.cache });
  const script = fileURLToPath(new URL("./train.py", import.meta.url));
  const env = childEnvironment({
    MLFLOW_DISABLE_TELEMETRY: "true",
    MLFLOW_LOGGING_LEVEL: "ERROR",
    ...mlflowEnvironment(mlflow),
  });
  const { stdout } = await execa(python, [script, String(count)], {
    env,
    extendEnv: false,
    timeout: 900_000,
  });
  return z.array(z.string()).parse(JSON.parse(stdout.trim().split("\n").at(-1) ?? ""));
}

/** In an experiment of its own, so that its deployment opens an endpoint. */
async function registerVersion(deployer: ModelDeployer, runId: string): Promise<string> {
  const experiment_id = `deploy_bench_${runId.slice(0, 8)}`;
  const criteria = { minimum_auc: 0.8, minimum_precision_at_k: null, maximum_fpr: null };
  const described = { experiment_name: `Deploy bench ${runId}`, prediction_target: "benign" };
  await deployer.database.experiments.create({ experiment_id, ...described, ...criteria }, "bench");
  const registered = await deployer.agent.execute({
    deployment_action: "register",
    experiment_id,
    mlflow_run_id: runId,
  });
  return registered.model_version_id ?? "";
}

async function stageVersion(deployer: ModelDeployer, runId: string): Promise<Version> {
  const model_version_id = await registerVersion(deployer, runId);
  await deployer.agent.execute({ deployment_action: "promote", model_version_id, target_stage: "staging" });
  const version = await deployer.database.modelVersions.get(model_version_id);
  if (version === null) throw new NotFoundError(`Run ${runId} was not registered.`);
  const options = { signal: AbortSignal.timeout(60_000) };
  const { path } = await deployer.parts.registry.fetchArtifact(version.model_artifact_uri, options);
  return { model_version_id, artifact: path };
}

const recordSchema = z.object({ step: z.string(), ms: z.number() });

class AgentSide {
  readonly #deployer: ModelDeployer;
  readonly #records: pg.Pool;

  constructor(deployer: ModelDeployer) {
    this.#deployer = deployer;
    this.#records = new pg.Pool({ connectionString: deployer.addresses.databaseUrl, max: 1 });
  }

  async deploy({ model_version_id }: Version): Promise<AgentTimes> {
    const request = { deployment_action: "deploy", model_version_id, target_stage: "staging" } as const;
    const begun = performance.now();
    const answer = await this.#deployer.agent.execute(request);
    const total = performance.now() - begun;
    const manifest = answer.deployment_manifest;
    if (answer.status !== "completed" || manifest === null) {
      throw new NotFoundError(
        `The deployment of ${model_version_id} gave no manifest of a finished deployment.`,
      );
    }
    const signal = AbortSignal.timeout(60_000);
    const steps = await this.#stepsOf(answer.operation_id ?? "");
    await this.#deployer.parts.server.stop(manifest.deployment_id, { signal });
    await this.#deployer.parts.router.close(manifest.endpoint_name, { signal });
    return { total, steps };
  }

  async #stepsOf(operationId: string): Promise<Map<string, number>> {
    const { rows } = await this.#records.query<Record<string, unknown>>(
      `select step, extract(epoch from recorded_at - coalesce(lag(recorded_at) over (order by step_index), o.created_at))
         ::float8 * 1000 as ms
       from ml_operation_steps join ml_operations o using (operation_id) where operation_id = $1 order by step_index`,
      [operationId],
    );
    return new Map(rows.map((row) => recordSchema.parse(row)).map(({ step, ms }) => [step, ms]));
  }

  async close(): Promise<void> {
    await this.#records.end();
  }
}

async function prepareHand(configuration: Configuration, artifact: string): Promise<Hand> {
  const { uv, bentoml: builder } = await ensureToolsEnvironment({ cacheDirectory: configuration.cache });
  const requirements = await readRequirements(artifact);
  const options = { cacheDirectory: configuration.cache, requirements, uv };
  const { bentoml: server } = await ensureModelEnvironment(options);
  return { builder, server, directory: join(configuration.home, "run", "by_hand") };
}

async function measure(configuration: Configuration, opened: Opened): Promise<void> {
  say("bringing up Postgres, Redis and MLflow, and training");
  const deployer = await connectModelDeployer(configuration);
  opened.closers.push(() => deployer.close());
  const ways = PAIRS === 0 ? ADOPTIONS : PAIRS + 1 + ADOPTIONS;
  const runs = await train(configuration, deployer.addresses, ways);
  if (PAIRS > 0) await measurePairs(configuration, deployer, runs.slice(ADOPTIONS), opened);
  const adoptions = await Adoptions.enrolled(deployer);
  opened.closers.push(() => adoptions.close());
  const adopted = [];
  for (const run of runs.slice(0, ADOPTIONS)) {
    adopted.push(await adoptions.measure(await registerVersion(deployer, run)));
  }
  reportAdoptions(adopted);
  printMachine();
}

async function measurePairs(
  configuration: Configuration,
  deployer: ModelDeployer,
  runs: string[],
  opened: Opened,
): Promise<void> {
  const versions: Version[] = [];
  for (const run of runs) versions.push(await stageVersion(deployer, run));
  const [first, ...measured] = versions;
  if (first === undefined) throw new NotFoundError("No run was trained.");
  const hand = await prepareHand(configuration, first.artifact);
  const agent = new AgentSide(deployer);
  opened.closers.push(() => agent.close());
  say("one pair unmeasured, so that both find their files in the page cache");
  await agent.deploy(first);
  await deployByHand(hand, first.artifact, "warm_up");
  const versionOf = (round: number): Version => measured[round] ?? first;
  const pairs = await inPairs(
    PAIRS,
    (round) => agent.deploy(versionOf(round)),
    (round) => deployByHand(hand, versionOf(round).artifact, `round_${round}`),
  );
  report(pairs);
}

function reportAdoptions(ways: AdoptedWay[]): void {
  const cpuOf = (stage: keyof AdoptedWay) => ways.map((way) => way[stage].cpuSeconds);
  const named = {
    staging: "staging, a new server",
    shadow: "the shadow, staging's server adopted",
    production: "production, the shadow's server adopted",
  };
  say();
  say(`${ways.length} versions from staging over the shadow to production, medians`);
  printTable(
    ["", "ms", "CPU s of the server"],
    (["staging", "shadow", "production"] as const).map((stage) => [
      named[stage],
      median(ways.map((way) => way[stage].ms)),
      median(cpuOf(stage)),
    ]),
  );
  for (const stage of ["shadow", "production"] as const) {
    const ratios = ways.map((way) => way[stage].cpuSeconds / way.staging.cpuSeconds);
    say(
      `CPU at ${stage} to the start's: ${median(ratios).toFixed(3)} (${ratios.map((one) => one.toFixed(3)).join(" ")})`,
    );
  }
}

function report(pairs: { first: AgentTimes; second: HandTimes }[]): void {
  say();
  say(`${pairs.length} pairs, medians in ms`);
  const steps = [...new Set(pairs.flatMap(({ first }) => [...first.steps.keys()]))];
  printTable(
    ["", "ms"],
    [
      ["through the agent", median(pairs.map(({ first }) => first.total))],
      ...steps.map((step): [string, number] => [
        `  ${step}`,
        median(pairs.map(({ first }) => first.steps.get(step) ?? 0)),
      ]),
      ["by hand", median(pairs.map(({ second }) => second.total))],
      ...(["build", "serve", "predict"] as const).map((part): [string, number] => [
        `  ${part}`,
        median(pairs.map(({ second }) => second[part])),
      ]),
    ],
  );
  const ratios = pairs.map(({ first, second }) => first.total / second.total);
  say(
    `ratio, median of the pairs: ${median(ratios).toFixed(3)} (${ratios.map((one) => one.toFixed(2)).join(" ")})`,
  );
}

await runInHome(measure);
