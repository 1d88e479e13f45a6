import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { z } from "zod";
import { inOrder } from "../../src/mlops/envoy/clusters/known_cluster.ts";
import { toClusterFile } from "../../src/mlops/envoy/clusters/cluster_file.ts";
import { EnvoyRouter } from "../../src/mlops/envoy/envoy_router.ts";
import { type BootstrapInput, toBootstrap } from "../../src/mlops/envoy/process/bootstrap.ts";
import { toRouteFile } from "../../src/mlops/envoy/route_config.ts";
import { findFreePort } from "../../src/platform/free_port.ts";
import { ensureToolsEnvironment } from "../../src/platform/python/python_environment.ts";
import type { Configuration } from "../../src/wiring/settings/configuration.ts";
import { cpuSeconds, sharedOutMegabytes } from "../serving/processes.ts";
import { type Opened, runInHome } from "../support/home.ts";
import { option, printMachine, printTable, say } from "../support/report.ts";

/**
 * What routers cost while nobody asks: an Envoy for each endpoint, as it is, beside one Envoy with a listener for each
 * endpoint. Memory is what their processes hold, shared pages counted once; CPU is that of ten idle seconds.
 *
 * usage: npm run bench:routers -- [--endpoints=50]
 */
const MOST = option("endpoints", 50);
const IDLE_SECONDS = 10;
const ANSWER_SECONDS = 15;
const host = "127.0.0.1";

interface Cost {
  megabytes: number;
  /** Milliseconds of CPU in a second. */
  idleCpu: number;
}

async function pidsOf(home: string): Promise<number[]> {
  const { stdout } = await promisify(execFile)("ps", ["-eo", "pid=,args="]);
  const lines = stdout.split("\n").filter((line) => line.includes("--config-path") && line.includes(home));
  return lines.map((line) => Number.parseInt(line, 10));
}

async function costOf(pids: readonly number[]): Promise<Cost> {
  await delay(3000);
  const before = await cpuSeconds(pids);
  await delay(IDLE_SECONDS * 1000);
  const seconds = (await cpuSeconds(pids)) - before;
  return {
    megabytes: await sharedOutMegabytes(pids),
    idleCpu: (1000 * seconds) / IDLE_SECONDS,
  };
}

const routeOf = (endpoint_name: string, deployment: string) => ({
  endpoint_name,
  generation: 1,
  weights: { [deployment]: 100 },
  mirror_deployment_id: null,
});

const resourcesSchema = z.object({ resources: z.array(z.record(z.string(), z.json())) });
const bootstrapSchema = z.looseObject({
  static_resources: z.object({
    listeners: z.array(z.record(z.string(), z.json())),
    clusters: z.array(z.record(z.string(), z.json())),
  }),
});

/** The very listener, route and cluster of one endpoint, without files of its own. */
function partsOf(number: number, input: Omit<BootstrapInput, "endpoint_name">, port: number) {
  const name = `endpoint_${number}`;
  const bootstrap: unknown = JSON.parse(toBootstrap({ ...input, endpoint_name: name }));
  const { listeners, clusters } = bootstrapSchema.parse(bootstrap).static_resources;
  const route = resourcesSchema.parse(JSON.parse(toRouteFile(routeOf(name, name), ANSWER_SECONDS)));
  const cluster = {
    deployment_id: name,
    addresses: inOrder([{ host, port }]),
    added_in: 1,
    copies_at_once: 64,
  };
  const { resources } = resourcesSchema.parse(JSON.parse(toClusterFile([cluster]).content));
  const parts = JSON.stringify({ listeners, clusters: [...clusters, ...resources] })
    .replaceAll("no-production", `no-production-${number}`)
    .replaceAll('"name":"ingress"', `"name":"ingress-${number}"`)
    .replace(/"rds":\{[^}]*\}\}\}\}/, `"route_config":${JSON.stringify(route.resources[0])}`)
    .replaceAll('"@type":"type.googleapis.com/envoy.config.route.v3.RouteConfiguration",', "")
    .replaceAll('"@type":"type.googleapis.com/envoy.config.cluster.v3.Cluster",', "");
  return bootstrapSchema.shape.static_resources.parse(JSON.parse(parts));
}

async function startShared(
  envoy: string,
  folder: string,
  { count, port }: { count: number; port: number },
  opened: Opened,
): Promise<number> {
  const files = { host, folder, clusters_file: "clusters.json", routes_file: "routes.json" };
  const input = { ...files, admin_socket: join(folder, `shared-${count}.sock`) };
  const parts = [];
  for (let number = 1; number <= count; number += 1) {
    parts.push(partsOf(number, { ...input, port: await findFreePort() }, port));
  }
  const first: unknown = JSON.parse(toBootstrap({ ...input, endpoint_name: "shared", port }));
  const { dynamic_resources: _files, ...rest } = bootstrapSchema.parse(first);
  const static_resources = {
    listeners: parts.flatMap(({ listeners }) => listeners),
    clusters: parts.flatMap(({ clusters }) => clusters),
  };
  const path = join(folder, `shared-${count}.json`);
  await writeFile(path, JSON.stringify({ ...rest, static_resources }));
  const args = ["--config-path", path, "--disable-hot-restart", "--concurrency", "1", "--log-level", "error"];
  const child = spawn(envoy, args, { stdio: ["ignore", "inherit", "inherit"] });
  opened.closers.push(async () => {
    child.kill("SIGKILL");
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  });
  return child.pid ?? 0;
}

async function measure(configuration: Configuration, opened: Opened): Promise<void> {
  const { home, cache } = configuration;
  const { envoy } = await ensureToolsEnvironment({ cacheDirectory: cache });
  const server = createServer((_incoming, outgoing) => outgoing.end("{}")).listen(0, host);
  await once(server, "listening");
  opened.closers.push(async () => server.close());
  const port = z.object({ port: z.int() }).parse(server.address()).port;
  const router = new EnvoyRouter({ home, envoyPath: envoy });
  const rows: (string | number)[][] = [];
  const add = (what: string, count: number, { megabytes, idleCpu }: Cost) => {
    rows.push([what, String(count), megabytes, megabytes / count, idleCpu]);
    say(`${what}, ${count}: ${megabytes.toFixed(0)} MB`);
  };
  let open = 0;
  for (const count of [1, MOST]) {
    for (; open < count; open += 1) {
      const name = `endpoint_${open + 1}`;
      const options = { signal: AbortSignal.timeout(120_000) };
      await router.open(name, options);
      await router.apply(routeOf(name, name), [{ deployment_id: name, host, port }], options);
    }
    add("an Envoy for each endpoint", count, await costOf(await pidsOf(home)));
  }
  for (let number = 1; number <= open; number += 1) {
    await router.close(`endpoint_${number}`, { signal: AbortSignal.timeout(120_000) });
  }
  for (const count of [1, MOST]) {
    const pid = await startShared(envoy, home, { count, port }, opened);
    add("one Envoy for all", count, await costOf([pid]));
  }
  say();
  printTable(["", "endpoints", "MB", "MB an endpoint", "CPU ms a second, idle"], rows);
  printMachine();
}

await runInHome(measure);
