import { randomBytes } from "node:crypto";
import { join } from "node:path";
import pg from "pg";
import { createModelDeployer } from "../../src/wiring/create_model_deployer.ts";
import type { ModelDeployer } from "../../src/wiring/model_deployer.ts";
import type { Configuration } from "../../src/wiring/settings/configuration.ts";
import {
  ensureModelEnvironment,
  ensureToolsEnvironment,
} from "../../src/platform/python/python_environment.ts";
import { askingModel, REQUIREMENTS } from "../../tests/faults/harm/asking_model.ts";
import { Upstream } from "../../tests/faults/harm/upstream.ts";
import { WorkerProcess } from "../../tests/faults/harm/worker_process.ts";
import { MLflowSeed } from "../../tests/integration/mlflow/mlflow_seed.ts";
import { Releases } from "../../tests/support/releases.ts";
import { killAllOf, killServerOf } from "./killed_home.ts";
import { type AskedEndpoint, secondsToFirstAnswers } from "./first_answers.ts";
import { type Opened, runInHome } from "../support/home.ts";
import { option, printMachine, printTable, say } from "../support/report.ts";
import { sitAtTheDesk } from "../../tests/support/given/at_the_desk.ts";

/**
 * From the start of `worker` after a machine's restart to the first answer of each endpoint in production, beside the time
 * that each server takes to start alone. Everything of the home is killed at once, Postgres, Redis, MLflow and the routers
 * included; the aim is the slowest server's own start and 2 s.
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
  const { database, addresses } = deployer;
  const token = randomBytes(24).toString("hex");
  await database.principals.enrol("omar", token);
  await sitAtTheDesk(database);
  const pool = new pg.Pool({ connectionString: addresses.databaseOwnerUrl, max: 1 });
  const sql = async (text: string, values?: unknown[]) =>
    (await pool.query<Record<string, unknown>>(text, values)).rows;
  const releases = new Releases({ deployer, sql, token });
  const seed = new MLflowSeed(addresses.mlflowUrl);
  const served: Served[] = [];
  const criteria = { minimum_auc: 0.8, minimum_precision_at_k: null, maximum_fpr: null };
  const registered = async (experiment_id: string, name: string) => {
    const model = await askingModel(upstream.port, name);
    const { run_id } = await seed.addRun({ metrics: { roc_auc: 0.9 }, models: { model } });
    return (await releases.act("register", { experiment_id, mlflow_run_id: run_id })).model_version_id ?? "";
  };
  for (let number = 1; number <= ENDPOINTS; number += 1) {
    const experiment_id = `reboot_${number}`;
    const described = { experiment_name: experiment_id, prediction_target: "x" };
    await database.experiments.create({ experiment_id, ...described, ...criteria }, "bench");
    const version = await registered(experiment_id, "v1");
    await releases.toProductionStage(version);
    const asked = { model_version_id: version, target_stage: "production" };
    const { deployment_manifest: manifest } = await releases.act("deploy", asked);
    served.push({
      name: manifest?.endpoint_name ?? "",
      url: manifest?.endpoint_url ?? "",
      deployment: manifest?.deployment_id ?? "",
    });
    say(`${number} of ${ENDPOINTS} in production`);
  }
  const shadow = await registered(`reboot_${ENDPOINTS}`, "v2");
  for (const target_stage of ["staging", "shadow"]) {
    await releases.act("promote", { model_version_id: shadow, target_stage });
  }
  await releases.act("deploy", { model_version_id: shadow, target_stage: "shadow" });
  await pool.end();
  return served;
}

/** Each server by itself, from its start until it has predicted its sample. */
async function secondsOfOwnStarts({ parts, database }: ModelDeployer, served: Served[]): Promise<number[]> {
  const seconds: number[] = [];
  for (const { deployment } of served) {
    const found = await database.deployments.get(deployment);
    if (found === null) throw new TypeError(`there is no deployment ${deployment}`);
    const options = { signal: AbortSignal.timeout(LONG_MS) };
    const { bento_tag } = found;
    await killServerOf(deployment);
    const resources = RESOURCES;
    const began = performance.now();
    await parts.server.start({ deployment_id: deployment, bento_tag, resources }, options);
    seconds.push((performance.now() - began) / 1000);
  }
  return seconds;
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
  const deployer = await createModelDeployer(configuration);
  const before = new WorkerProcess({ environment, log: join(home, "worker-1.log") });
  opened.closers.push(() => before.end());
  await before.hasBegun();
  const served = await serve(deployer, upstream);
  await before.end();
  const own = await secondsOfOwnStarts(deployer, served);
  await deployer.close();
  const killed = await killAllOf(home);
  say(`killed ${killed} processes; only the worker is started`);
  const began = performance.now();
  const answering = secondsToFirstAnswers(served, began);
  const worker = new WorkerProcess({ environment, log: join(home, "worker-2.log") });
  opened.closers.push(() => worker.end());
  report(served, own, await answering);
}

function report(served: Served[], own: number[], answered: number[]): void {
  say();
  printTable(
    ["endpoint", "server's own start s", "first answer s"],
    served.map(({ name }, index) => [name, own[index] ?? Number.NaN, answered[index] ?? Number.NaN]),
  );
  const slowest = Math.max(...own);
  const last = Math.max(...answered);
  say(
    `all answer after ${last.toFixed(2)} s; the slowest server's own start took ${slowest.toFixed(2)} s, ` +
      `so that the aim was ${(slowest + AIM_SECONDS).toFixed(2)} s`,
  );
  printMachine();
}

await runInHome(measure);
