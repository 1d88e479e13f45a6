import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { execa } from "execa";
import { STANDARD_GATE_POLICY } from "../../src/agents/model_deployer/domain/models/gate_policy.ts";
import { endpointName } from "../../src/agents/model_deployer/domain/values/names.ts";
import { connectModelDeployer } from "../../src/wiring/connect_model_deployer.ts";
import type { Configuration } from "../../src/wiring/settings/configuration.ts";
import { pollUntil } from "../../src/testing/poll.ts";
import { askingModel } from "../../tests/faults/harm/asking_model.ts";
import { CountedLoad } from "../../tests/faults/harm/counted_load.ts";
import { Upstream } from "../../tests/faults/harm/upstream.ts";
import { WorkerProcess } from "../../tests/faults/harm/worker_process.ts";
import { BenchTeam } from "../support/bench_team.ts";
import { type Opened, runInHome } from "../support/home.ts";
import { program } from "../support/program.ts";
import { option, printMachine, say } from "../support/report.ts";
import { HeldThings, type Reading } from "./readings.ts";
import { printReadings } from "./readings_table.ts";

/**
 * The deployer at its usual work for long: endpoints in production under load, a release each minute, each a shadow and a
 * rollout that the worker leads, and a prune each five minutes. Prints what was held at each minute, the rows of each table,
 * whether each figure was flat, and every request that was lost; ends with 1 where one was, or where a run that is long
 * enough to decide shows something that was not flat.
 *
 * usage: node bench/soak/main.ts [--minutes=60] [--endpoints=4] [--requests=100] [--release-seconds=60] [--prune-seconds=300]
 */
const MINUTES = option("minutes", 60);
const ENDPOINTS = option("endpoints", 4);
/** A second, of all endpoints together. */
const REQUESTS = option("requests", 100);
const RELEASE_SECONDS = option("release-seconds", 60);
const PRUNE_SECONDS = option("prune-seconds", 300);
const LANES = 5;
/** A folder for heap snapshots of the worker, one at each reading. */
const { SOAK_SNAPSHOTS } = process.env;
const snapshots = SOAK_SNAPSHOTS === undefined ? {} : { SOAK_SNAPSHOTS };
const toldHeap = new URL("./held/told_heap.ts", import.meta.url).href;

/** What was rolled back or replaced stays warm for so long. */
const RETENTION_SECONDS = 30;
const LONG_MS = 600_000;
const MINUTE_MS = 60_000;
const ROLLOUT = {
  steps: [
    { weight: 50, bake_seconds: 5 },
    { weight: 100, bake_seconds: 0 },
  ],
};

const { policy_id: _, ...STANDARD } = STANDARD_GATE_POLICY;
/** How fast a busy machine answers tells nothing about a model. */
const PATIENT = { ...STANDARD, maximum_shadow_p99_ms: 60_000, reason: "the machine may be busy" };

interface Soak {
  team: BenchTeam;
  upstream: Upstream;
  loads: CountedLoad[];
  environment: Record<string, string>;
  /** Whether the endpoint's last rollout is over. */
  isQuiet: (experiment: string) => Promise<boolean>;
}

const experiments = Array.from({ length: ENDPOINTS }, (_, index) => `soak_${index + 1}`);

async function soak(configuration: Configuration, opened: Opened): Promise<void> {
  const upstream = await Upstream.start();
  opened.closers.push(() => upstream.goAway());
  const { home, cache } = configuration;
  const environment = {
    MODEL_DEPLOYER_HOME: home,
    MODEL_DEPLOYER_CACHE: cache,
    MODEL_DEPLOYER_RETENTION_SECONDS: String(RETENTION_SECONDS),
  };
  const deployer = await connectModelDeployer({ ...configuration, retentionSeconds: RETENTION_SECONDS });
  opened.closers.push(() => deployer.close());
  const heapFile = join(home, "worker.heap");
  const worker = new WorkerProcess({
    environment: { ...environment, SOAK_HEAP_FILE: heapFile, ...snapshots },
    log: join(home, "worker.log"),
    program,
    imports: [toldHeap],
  });
  opened.closers.push(() => worker.end());
  await worker.hasBegun();
  const team = await BenchTeam.at(deployer);
  opened.closers.push(() => team.close());
  const loads: CountedLoad[] = [];
  for (const experiment of experiments) {
    await team.plan(experiment);
    await deployer.database.experiments.setGatePolicy(experiment, PATIENT, "bench");
    const version = await team.register(experiment, await askingModel(upstream.port, "first"));
    const { endpoint_url: url } = await team.serve(version);
    loads.push(new CountedLoad({ url, lanes: LANES, pauseMs: (LANES * ENDPOINTS * 1000) / REQUESTS }));
    say(`${experiment} is in production`);
  }
  const { databaseOwnerUrl: databaseUrl } = deployer.addresses;
  const held = new HeldThings({ home, worker: { pid: worker.pid, heapFile }, databaseUrl });
  opened.closers.push(() => held.close());
  const isQuiet = async (experiment: string) =>
    (await deployer.database.rollouts.getOpen(endpointName(experiment, "production"))) === null;
  for (const load of loads) load.start();
  const readings = await readEachMinute({ team, upstream, loads, environment, isQuiet }, held);
  const counted = await Promise.all(loads.map((load) => load.end()));
  const isFlat = printReadings(readings);
  for (const sentence of counted.flatMap(({ wrong }) => wrong)) say(`- ${sentence}`);
  printMachine();
  const isWhole = counted.every(({ lost, failed_by_model }) => lost + failed_by_model === 0);
  if (!isWhole || isFlat === false) process.exitCode = 1;
}

/** Work and readings side by side: a release that takes long delays no reading. */
async function readEachMinute(soaked: Soak, held: HeldThings): Promise<Reading[]> {
  const begun = performance.now();
  const over = new AbortController();
  const done = { releases: 0 };
  const working = Promise.all([releaseOn(soaked, done, over.signal), pruneOn(soaked, over.signal)]);
  const readings: Reading[] = [];
  for (let minute = 1; minute <= MINUTES; minute += 1) {
    await Promise.race([delay(begun + minute * MINUTE_MS - performance.now()), working]);
    const sums = soaked.loads.map(({ sent, lost }) => ({ sent, lost }));
    readings.push({
      minutes: Math.round((performance.now() - begun) / MINUTE_MS),
      releases: done.releases,
      sent: sums.reduce((sum, { sent }) => sum + sent, 0),
      lost: sums.reduce((sum, { lost }) => sum + lost, 0),
      ...(await held.read()),
    });
    say(`minute ${minute}: ${done.releases} releases, ${readings.at(-1)?.lost} lost`);
  }
  over.abort();
  await working;
  return readings;
}

/** The endpoints in turn; a rollout that is not over when its endpoint's turn comes is waited for. */
async function releaseOn(soaked: Soak, done: { releases: number }, signal: AbortSignal): Promise<void> {
  for (let turn = 0; !signal.aborted; turn += 1) {
    const next = performance.now() + RELEASE_SECONDS * 1000;
    const experiment = experiments[turn % experiments.length] ?? "";
    await release(soaked, experiment, `v${turn + 2}`);
    done.releases += 1;
    await delay(Math.max(0, next - performance.now()), undefined, { signal }).catch(() => undefined);
  }
}

async function release({ team, upstream, isQuiet }: Soak, experiment: string, name: string): Promise<void> {
  await pollUntil(() => isQuiet(experiment), {
    deadlineMs: LONG_MS,
    intervalMs: 500,
    what: "its rollout's end",
  });
  const version = await team.register(experiment, await askingModel(upstream.port, name));
  await team.serve(version, { rollout: ROLLOUT });
}

async function pruneOn({ environment }: Soak, signal: AbortSignal): Promise<void> {
  const prune = [program, "prune", "--older-than", "1h", "--keep-under", "1MB", "--yes", "--json"];
  const env = { ...process.env, ...environment };
  while (!signal.aborted) {
    await delay(PRUNE_SECONDS * 1000, undefined, { signal }).catch(() => undefined);
    if (!signal.aborted) await execa(process.execPath, prune, { env, extendEnv: false });
  }
}

await runInHome(soak);
