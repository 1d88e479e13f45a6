import { availableParallelism } from "node:os";
import { join } from "node:path";
import { connectModelDeployer } from "../../src/wiring/connect_model_deployer.ts";
import type { ModelDeployer } from "../../src/wiring/model_deployer.ts";
import type { Configuration } from "../../src/wiring/settings/configuration.ts";
import {
  ensureModelEnvironment,
  ensureToolsEnvironment,
} from "../../src/platform/python/python_environment.ts";
import { askingModel, REQUIREMENTS } from "../../tests/faults/harm/asking_model.ts";
import { Upstream } from "../../tests/faults/harm/upstream.ts";
import { WorkerProcess } from "../../tests/faults/harm/worker_process.ts";
import { cpuOfHome } from "./home_cpu.ts";
import { killAllOf, killServerOf } from "./killed_home.ts";
import { type AskedEndpoint, secondsToFirstAnswers } from "./first_answers.ts";
import { BenchTeam } from "../support/bench_team.ts";
import { type Opened, runInHome } from "../support/home.ts";
import { program, programKind } from "../support/program.ts";
import { option, printMachine, printTable, say } from "../support/report.ts";

/**
 * From the start of `worker` after a machine's restart to the first answer of each endpoint in production, beside the time
 * that each server takes to start alone. Everything of the home is killed at once, Postgres, Redis, MLflow and the routers
 * included; the aim is the slowest server's own start and 2 s. Where there are more servers than cores, the CPU of their
 * starts is a bound, too, and is printed beside it.
 *
 * usage: node bench/reboot/main.ts [--endpoints=5]
 */
const ENDPOINTS = option("endpoints", 5);
const AIM_SECONDS = 2;
const LONG_MS = 300_000;
/** Asked for and not enforced here. */
const RESOURCES = {
  replicas: 1,
  cpu_limit: "1",
  memory_limit: "1Gi",
  autoscaling: { min: 1, max: 1, target_cpu: 70 },
};

interface Served extends AskedEndpoint {
  deployment: string;
}

/** That many endpoints in production, the last one with a shadow, too. */
async function serve(deployer: ModelDeployer, upstream: Upstream): Promise<Served[]> {
  const team = await BenchTeam.at(deployer);
  const registered = async (experiment: string, name: string) =>
    team.register(experiment, await askingModel(upstream.port, name));
  const served: Served[] = [];
  for (let number = 1; number <= ENDPOINTS; number += 1) {
    const experiment = `reboot_${number}`;
    await team.plan(experiment);
    const manifest = await team.serve(await registered(experiment, "v1"));
    const { endpoint_name: name, endpoint_url: url, deployment_id: deployment } = manifest;
    served.push({ name, url, deployment });
    say(`${number} of ${ENDPOINTS} in production`);
  }
  const shadow = await registered(`reboot_${ENDPOINTS}`, "v2");
  for (const target_stage of ["staging", "shadow"]) {
    await team.releases.act("promote", { model_version_id: shadow, target_stage });
  }
  await team.deploy({ model_version_id: shadow, target_stage: "shadow" });
  await team.close();
  return served;
}

interface OwnStart {
  seconds: number;
  cpuSeconds: number;
}

/** Each server by itself, from its start until it has predicted its sample. */
async function ownStarts(
  { parts, database }: ModelDeployer,
  home: string,
  served: Served[],
): Promise<OwnStart[]> {
  const starts: OwnStart[] = [];
  for (const { deployment } of served) {
    const found = await database.deployments.get(deployment);
    if (found === null) throw new TypeError(`there is no deployment ${deployment}`);
    const options = { signal: AbortSignal.timeout(LONG_MS) };
    const { bento_tag } = found;
    await killServerOf(home, deployment);
    const resources = RESOURCES;
    const began = performance.now();
    await parts.server.start({ deployment_id: deployment, bento_tag, resources }, options);
    const seconds = (performance.now() - began) / 1000;
    const used = (await parts.serverUsage?.usage(deployment, options)) ?? [];
    starts.push({ seconds, cpuSeconds: used.reduce((sum, { cpu_seconds }) => sum + cpu_seconds, 0) });
  }
  return starts;
}

async function measure(configuration: Configuration, opened: Opened): Promise<void> {
  const { home, cache } = configuration;
  const upstream = await Upstream.start();
  opened.closers.push(() => upstream.goAway());
  const { uv } = await ensureToolsEnvironment({ cacheDirectory: cache });
  const signal = AbortSignal.timeout(LONG_MS);
  await ensureModelEnvironment({ cacheDirectory: cache, requirements: [...REQUIREMENTS], uv, signal });
  say("bringing up what a worker needs, and the endpoints");
  const environment = { MODEL_DEPLOYER_HOME: home, MODEL_DEPLOYER_CACHE: cache };
  const deployer = await connectModelDeployer(configuration);
  const before = new WorkerProcess({ environment, log: join(home, "worker-1.log") });
  opened.closers.push(() => before.end());
  await before.hasBegun();
  const served = await serve(deployer, upstream);
  await before.end();
  const own = await ownStarts(deployer, home, served);
  await deployer.close();
  const killed = await killAllOf(home);
  say(`killed ${killed} processes; only the worker is started, ${programKind}`);
  const began = performance.now();
  const answering = secondsToFirstAnswers(served, began);
  const worker = new WorkerProcess({ environment, log: join(home, "worker-2.log"), program });
  opened.closers.push(() => worker.end());
  const answered = await answering;
  report(served, own, answered);
  sayCpu(await cpuOfHome(home));
  printMachine();
}

/** Nothing can answer before all that has to be started has had its CPU. */
function sayCpu(used: Map<string, number>): void {
  const each = [...used].map(([kind, seconds]) => `${kind} ${seconds.toFixed(2)}`);
  const all = [...used.values()].reduce((sum, seconds) => sum + seconds, 0);
  say(
    `CPU s from the start of the worker to the last answer: ${each.join(", ")}; together they keep every core busy for ` +
      `${(all / availableParallelism()).toFixed(2)} s`,
  );
}

function report(served: Served[], own: OwnStart[], answered: number[]): void {
  say();
  printTable(
    ["endpoint", "server's own start s", "its CPU s", "first answer s"],
    served.map(({ name }, index) => [
      name,
      own[index]?.seconds ?? Number.NaN,
      own[index]?.cpuSeconds ?? Number.NaN,
      answered[index] ?? Number.NaN,
    ]),
  );
  const slowest = Math.max(...own.map(({ seconds }) => seconds));
  const cpu = own.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0) / availableParallelism();
  const last = Math.max(...answered);
  say(
    `all answer after ${last.toFixed(2)} s; the slowest server's own start took ${slowest.toFixed(2)} s, ` +
      `so that the aim was ${(slowest + AIM_SECONDS).toFixed(2)} s; the CPU of these starts alone keeps every core busy for ${cpu.toFixed(2)} s`,
  );
}

await runInHome(measure);
