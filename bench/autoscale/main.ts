import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { recommendedReplicas } from "../../src/agents/model_deployer/domain/servers/autoscaling.ts";
import { coresOf } from "../../src/agents/model_deployer/domain/servers/quantities.ts";
import type { Configuration } from "../../src/wiring/settings/configuration.ts";
import { connectModelDeployer } from "../../src/wiring/connect_model_deployer.ts";
import type { ModelDeployer } from "../../src/wiring/model_deployer.ts";
import { WorkerProcess } from "../../tests/faults/harm/worker_process.ts";
import { BenchTeam } from "../support/bench_team.ts";
import { type Opened, runInHome } from "../support/home.ts";
import { option, printMachine, printTable, say } from "../support/report.ts";
import { PacedLoad } from "./paced_load.ts";

/**
 * A load that rises and falls on the real parts: a worker looks at the servers as it always does, and every 15 s a line says
 * what was asked, what the servers used of their limit, how many the rule wants for that, and how many run. A prediction
 * takes 20 ms of CPU and each server's limit is 200m, so that two cores have room for all of them.
 *
 * usage: npm run bench:autoscale -- [--low=3] [--high=20] [--seconds=90]
 */
const LOW = option("low", 3);
const HIGH = option("high", 20);
/** Of the low load before and of the high one; the fall is watched for the rule's window of 300 s and a minute more. */
const SECONDS = option("seconds", 90);
const WATCHED_SECONDS = 390;
const LINE_SECONDS = 15;
const LOOK_SECONDS = 5;
const LONG_MS = 300_000;
const CPU_LIMIT = "200m";
const AUTOSCALING = { min: 1, max: 4, target_cpu: 70 };
const REQUIREMENTS = ["mlflow-skinny==3.17.2", "pandas", "numpy"];

const LOADS = [
  { rate: LOW, seconds: SECONDS },
  { rate: HIGH, seconds: SECONDS },
  { rate: LOW, seconds: WATCHED_SECONDS },
];

async function burningModel(): Promise<Record<string, string>> {
  const flavor = { loader_module: "burning_model", code: "code", env: {} };
  const inputs = JSON.stringify([{ type: "double", name: "x", required: true }]);
  const outputs = JSON.stringify([{ type: "double", required: true }]);
  return {
    // JSON is YAML.
    MLmodel: JSON.stringify({
      flavors: { python_function: flavor },
      mlflow_version: "3.17.2",
      signature: { inputs, outputs },
    }),
    "requirements.txt": REQUIREMENTS.join("\n"),
    "code/burning_model.py": await readFile(new URL("./burning_model.py", import.meta.url), "utf8"),
  };
}

async function serve(deployer: ModelDeployer): Promise<{ url: string; id: string }> {
  const team = await BenchTeam.at(deployer);
  const experiment = "autoscale";
  await team.plan(experiment);
  const version = await team.register(experiment, await burningModel());
  const limits = { cpu_limit: CPU_LIMIT, memory_limit: "1Gi", autoscaling: AUTOSCALING, replicas: 1 };
  const { endpoint_url: url, deployment_id: id } = await team.serve(version, limits);
  await team.close();
  return { url, id };
}

/** Of all servers together, by the life of each process; one that has ended uses no more. */
class UsedCpu {
  readonly #deployer: ModelDeployer;
  readonly #id: string;
  #before = new Map<string, number>();
  #at = performance.now();

  constructor(deployer: ModelDeployer, id: string) {
    this.#deployer = deployer;
    this.#id = id;
  }

  /** Servers that run, and cores that they used since the last time. */
  async take(): Promise<{ running: number; cores: number }> {
    const signal = AbortSignal.timeout(LONG_MS);
    const usage = (await this.#deployer.parts.serverUsage?.usage(this.#id, { signal })) ?? [];
    const now = performance.now();
    const seconds = usage.map(({ run, cpu_seconds }) => cpu_seconds - (this.#before.get(run) ?? cpu_seconds));
    const cores = seconds.reduce((sum, one) => sum + one, 0) / ((now - this.#at) / 1000);
    this.#before = new Map(usage.map(({ run, cpu_seconds }) => [run, cpu_seconds]));
    this.#at = now;
    return { running: usage.length, cores };
  }
}

async function measure(configuration: Configuration, opened: Opened): Promise<void> {
  const { home, cache } = configuration;
  say("bringing up what a worker needs, and the endpoint");
  const deployer = await connectModelDeployer(configuration);
  opened.closers.push(() => deployer.close());
  const { url, id } = await serve(deployer);
  const environment = {
    MODEL_DEPLOYER_HOME: home,
    MODEL_DEPLOYER_CACHE: cache,
    MODEL_DEPLOYER_RECONCILE_SECONDS: String(LOOK_SECONDS),
  };
  const worker = new WorkerProcess({ environment, log: join(home, "worker.log") });
  opened.closers.push(() => worker.end());
  await worker.hasBegun();
  const load = new PacedLoad(url, { dataframe_split: { columns: ["x"], data: [[1]] } });
  opened.closers.push(() => load.end());
  const lines = await watched(deployer, id, load);
  const heading = [
    "s",
    "asked a second",
    "CPU % of limit",
    "the rule now",
    "wanted",
    "running",
    "answered",
    "lost",
  ];
  printTable(heading, lines);
  printMachine();
}

/** A line every 15 s while the load rises and falls. */
async function watched(deployer: ModelDeployer, id: string, load: PacedLoad): Promise<string[][]> {
  const used = new UsedCpu(deployer, id);
  await used.take();
  const lines: string[][] = [];
  const began = performance.now();
  for (const { rate, seconds } of LOADS) {
    load.perSecond = rate;
    const until = performance.now() + seconds * 1000;
    while (performance.now() < until) {
      await delay(LINE_SECONDS * 1000);
      const { answered, lost } = load.take();
      const { running, cores } = await used.take();
      const row = await deployer.database.deployments.get(id);
      const percent = (100 * cores) / (Math.max(1, running) * coresOf(CPU_LIMIT));
      const ruled = recommendedReplicas(running, percent, AUTOSCALING.target_cpu);
      const bounded = Math.min(AUTOSCALING.max, Math.max(AUTOSCALING.min, ruled));
      const at = (performance.now() - began) / 1000;
      const figures = [at, rate, percent, bounded, row?.replicas ?? 0, running, answered, lost];
      lines.push(figures.map((figure) => String(Math.round(figure))));
    }
  }
  return lines;
}

await runInHome(measure);
