import { randomUUID } from "node:crypto";
import { cp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { request } from "undici";
import { BentoMLPackager } from "../../src/mlops/bentoml/packaging/packager.ts";
import { digestArtifact } from "../../src/mlops/bentoml/packaging/bento_artifact.ts";
import { BentoMLServer } from "../../src/mlops/bentoml/server.ts";
import { findFreePort } from "../../src/platform/free_port.ts";
import { EnvoyRouter } from "../../src/mlops/envoy/envoy_router.ts";
import type { ServerAddress } from "../../src/agents/model_deployer/ports/traffic_router_port.ts";
import { ServiceUnavailableError } from "../../src/agents/model_deployer/errors.ts";
import {
  childEnvironment,
  readLogTail,
  startProcess,
  stopProcess,
} from "../../src/platform/processes/managed_process.ts";
import type { ToolsEnvironment } from "../../src/platform/python/python_environment.ts";
import type { Opened } from "../support/home.ts";
import { columnsOf, type Form, named, type Peer } from "./peers.ts";
import { cpuSeconds, processesNamed } from "./processes.ts";

/** One server with a model; `arms` are the ways to ask it. */
export interface Served {
  name: string;
  /** CPU in seconds from the start to the first answer. */
  startCpu: number;
  /** Stands in the environment or the command line of each of its processes. */
  marks: string[];
  arms: Arm[];
}

export interface Arm {
  name: string;
  url: string;
  one: Form;
  /** None where the way takes one row only. */
  many: Form | null;
  marks: string[];
}

export interface Workplace {
  home: string;
  cacheDirectory: string;
  tools: ToolsEnvironment;
  opened: Opened;
}

const START_SECONDS = 180;
// Rows come one by one: threads inside a prediction only compete with other predictions. The same for every server.
const threads = { OMP_NUM_THREADS: "1", OPENBLAS_NUM_THREADS: "1", MKL_NUM_THREADS: "1" };

/** @throws ServiceUnavailableError with its last words when it does not answer */
export async function startPeer(
  peer: Peer,
  { bin, trained, row }: { bin: string; trained: string; row: readonly number[] },
  { home, opened }: Workplace,
): Promise<Served> {
  const mark = randomUUID();
  // Of its own, since some servers are told by files beside the model.
  const directory = join(home, "models", mark);
  await cp(trained, directory, { recursive: true });
  const port = await findFreePort();
  const spare = [await findFreePort(), await findFreePort()];
  for (const [file, content] of Object.entries(peer.files?.({ port, spare, directory }) ?? {})) {
    await writeFile(join(directory, file), JSON.stringify(content));
  }
  const { args, env } = peer.command({ bin, directory, port });
  const [command = "", ...rest] = args;
  const runDirectory = join(home, "run");
  const extra = {
    ...threads,
    ...env,
    PATH: `${bin}:${process.env["PATH"] ?? ""}`,
    MODEL_DEPLOYER_BENCH: mark,
  };
  await startProcess({ name: mark, runDirectory, command, args: rest, env: childEnvironment(extra) });
  opened.closers.push(async () => {
    await stopProcess(runDirectory, mark, { graceMs: 5000, leaderSignal: "SIGTERM" });
    for (const id of await processesNamed(mark)) process.kill(id, "SIGKILL");
  });
  const url = `http://127.0.0.1:${port}`;
  const answers = await untilAnswered(url, peer.form, row);
  if (!answers) {
    const words = (await readLogTail(runDirectory, mark, 5)).slice(-600);
    throw new ServiceUnavailableError(peer.name, `no answer in ${START_SECONDS} s: ${words}`);
  }
  const startCpu = await cpuSeconds(await processesNamed(mark));
  const arm = { name: peer.name, url, one: peer.form, many: peer.form, marks: [mark] };
  return { name: peer.name, startCpu, marks: [mark], arms: [arm] };
}

async function untilAnswered(url: string, form: Form, row: readonly number[]): Promise<boolean> {
  const body = JSON.stringify(form.body([row]));
  const deadline = performance.now() + START_SECONDS * 1000;
  const headers = { "content-type": "application/json" };
  while (performance.now() < deadline) {
    const status = await request(`${url}${form.path}`, { method: "POST", headers, body }).then(
      async (answer) => {
        await answer.body.dump();
        return answer.statusCode;
      },
      () => 0,
    );
    if (status === 200) return true;
    await delay(50);
  }
  return false;
}

const contract: Form = {
  path: "/predict",
  body: (rows) => ({
    entity_id: "bench",
    features: Object.fromEntries(columnsOf(rows).map((name, column) => [name, rows[0]?.[column]])),
    time_horizon: "30d",
  }),
};

/** Our own server of the model in `directory`, asked directly and through an endpoint of the router. */
export async function startOwn(
  name: string,
  directory: string,
  row: readonly number[],
  place: Workplace,
): Promise<Served> {
  const deployment_id = `dep_${name}_${randomUUID().slice(0, 8)}`;
  const address = await deployOwn(name, join(directory, "model"), deployment_id, place);
  const direct = `http://${address.host}:${address.port}`;
  await untilAnswered(direct, contract, row);
  const marks = [`MODEL_DEPLOYER_DEPLOYMENT_ID=${deployment_id}`];
  const startCpu = await cpuSeconds(await processesOf(marks));
  const endpoint = await routeTo({ deployment_id, ...address }, place);
  const routed = [...marks, join(place.home, "router", deployment_id)];
  return {
    name: "ours",
    startCpu,
    marks,
    arms: [
      { name: "ours, /predict", url: direct, one: contract, many: null, marks },
      { name: "ours, /invocations", url: direct, one: named, many: named, marks },
      { name: "ours, /predict through Envoy", url: endpoint, one: contract, many: null, marks: routed },
    ],
  };
}

const forLong = () => ({ signal: AbortSignal.timeout(3_600_000) });

async function deployOwn(
  name: string,
  model_path: string,
  deployment_id: string,
  { home, cacheDirectory, tools, opened }: Workplace,
): Promise<{ host: string; port: number }> {
  const environments = { cacheDirectory, uv: tools.uv };
  const bentos = join(home, "bentoml");
  const packager = new BentoMLPackager({ home: bentos, bentoml: tools.bentoml, environments });
  const startTimeoutMs = START_SECONDS * 1000;
  const runDirectory = join(home, "run");
  const server = new BentoMLServer({ home: bentos, runDirectory, startTimeoutMs, ...environments });
  const bento_tag = `bench_${name}:v1`;
  const described = { bento_tag, model_name: name, version: 1, model_path, preprocessing_path: null };
  await packager.packageModel({ ...described, artifact_digest: await digestArtifact(model_path) }, forLong());
  const autoscaling = { min: 1, max: 1, target_cpu: 70 };
  const resources = { replicas: 1, cpu_limit: "1", memory_limit: "1Gi", autoscaling };
  opened.closers.push(async () => {
    await server.stop(deployment_id, forLong());
    await server.close();
  });
  return server.start({ deployment_id, bento_tag, resources }, forLong());
}

async function routeTo(server: ServerAddress, { home, tools, opened }: Workplace): Promise<string> {
  const { deployment_id } = server;
  const router = new EnvoyRouter({ home, envoyPath: tools.envoy });
  const { endpoint_url } = await router.open(deployment_id, forLong());
  opened.closers.push(() => router.close(deployment_id, forLong()));
  const weights = { [deployment_id]: 100 };
  const route = { endpoint_name: deployment_id, generation: 1, weights, mirror_deployment_id: null };
  await router.apply(route, [server], forLong());
  return endpoint_url;
}

export async function processesOf(marks: readonly string[]): Promise<number[]> {
  return [...new Set((await Promise.all(marks.map(processesNamed))).flat())];
}
