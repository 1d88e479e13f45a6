import { setTimeout as delay } from "node:timers/promises";
import { AgentError } from "../../src/agents/base/agent_error.ts";
import type { ModelServer } from "../../src/agents/model_deployer/ports/model_server_port.ts";
import { ByEngine } from "../../src/mlops/engines/by_engine.ts";
import { ServersOfEngines } from "../../src/mlops/engines/servers_of_engines.ts";
import { enginesFrom } from "../../tests/support/given/given_engine_rows.ts";
import {
  companionObjects,
  deploymentObject,
  type KubernetesObject,
} from "../../src/mlops/kubernetes/server/server_objects.ts";
import { SERVER_CONTAINER } from "../../src/mlops/kubernetes/server/server_pod.ts";
import {
  type ClusterWithServers,
  openCluster,
  serverSettings,
} from "../../tests/support/kubernetes/cluster_with_servers.ts";
import { heldMemory } from "../support/held_memory.ts";
import { median, percentile } from "../support/figures.ts";
import { option, printMachine, printTable } from "../support/report.ts";

/**
 * Looks at the servers of many endpoints in a stand-in cluster while nothing changes, each every 15 s as a worker looks, by
 * the parts that choose among engines: requests to the API server, how long a look takes, and what is held in memory after
 * each quarter of the time. Cluster and looks share this process.
 *
 * usage: node bench/engines/main.ts [--endpoints=1000] [--deployments=1000] [--seconds=60]
 */
const ENDPOINTS = option("endpoints", 1_000);
const DEPLOYMENTS = option("deployments", 1_000);
const SECONDS = option("seconds", 60);
const LOOK_SECONDS = 15;
const TICK_MS = 100;
const QUARTERS = 4;

const tag = "e2i_classifier:v1";
const resources = {
  replicas: 1,
  cpu_limit: "1",
  memory_limit: "1Gi",
  autoscaling: { min: 1, max: 1, target_cpu: 70 },
};

/** Deployments as they stand after a start: seen by their controller, with one pod that is ready. */
async function fill({
  cluster,
  image,
}: {
  cluster: ClusterWithServers["cluster"];
  image: string;
}): Promise<void> {
  cluster.node.isAsleep = true;
  for (let index = 0; index < DEPLOYMENTS; index += 1) {
    const wanted = {
      deployment_id: `dep_${index}`,
      ordinal: 1,
      bento_tag: tag,
      image,
      resources,
      alike: 0,
      installed: true,
    };
    const object = deploymentObject(wanted, serverSettings);
    const { name } = object.metadata;
    cluster.objects.create("deployments", object);
    cluster.objects.setStatus("deployments", name, { observedGeneration: 1, availableReplicas: 1 });
    const [service] = companionObjects(name, "uid", resources, serverSettings);
    cluster.objects.create("services", service?.object);
    addPod(cluster, object);
    if (index % 100 === 0) await delay(0);
  }
}

function addPod(cluster: ClusterWithServers["cluster"], { metadata, spec }: KubernetesObject): void {
  const { template } = cluster.node.templateOf(spec);
  const pod = { name: `${metadata.name}-pod`, labels: template.metadata.labels };
  cluster.objects.create("pods", { apiVersion: "v1", kind: "Pod", metadata: pod, spec: template.spec });
  const container = { name: SERVER_CONTAINER, ready: true, started: true, state: { running: {} } };
  cluster.objects.setStatus("pods", pod.name, { phase: "Running", containerStatuses: [container] });
}

let unanswered = 0;

type Looked = Pick<ModelServer, "observe">;

async function lookFor(seconds: number, server: Looked): Promise<number[]> {
  const took: number[] = [];
  const looks: Promise<void>[] = [];
  const began = performance.now();
  const perTick = (ENDPOINTS * TICK_MS) / (LOOK_SECONDS * 1000);
  for (let due = 0, next = 0; performance.now() - began < seconds * 1000; due += perTick) {
    for (; next < due; next += 1) looks.push(look(`dep_${next % ENDPOINTS}`, server, took));
    await delay(TICK_MS);
  }
  await Promise.all(looks);
  return took;
}

async function look(id: string, server: Looked, took: number[]): Promise<void> {
  const began = performance.now();
  try {
    const { state } = await server.observe(id, { signal: AbortSignal.timeout(60_000) });
    if (state !== "ready") throw new TypeError(`${id} is ${state}`);
    took.push(performance.now() - began);
  } catch (error) {
    // A busy machine may answer too late; a worker looks again.
    if (!(error instanceof AgentError)) throw error;
    unanswered += 1;
  }
}

const here = await openCluster([tag]);
await fill({ cluster: here.cluster, image: here.imageOf(tag) });
const kubernetes = here.another({ freshMs: 500 });
const installed = { usual: "kubernetes" as const, routers: { kubernetes: "cluster" as const } };
const engines = enginesFrom(installed, () => "kubernetes");
const servers = new ByEngine(new Map([["kubernetes" as const, kubernetes]]), engines);
const server = new ServersOfEngines(servers, { onSilent: () => undefined });
// Each pod is asked once who it is.
await lookFor(LOOK_SECONDS + 1, server);
here.cluster.calls.length = 0;
const held = [heldMemory()];
const took: number[] = [];
unanswered = 0;
let requests = 0;
const began = performance.now();
for (let quarter = 1; quarter <= QUARTERS; quarter += 1) {
  took.push(...(await lookFor(SECONDS / QUARTERS, server)));
  requests += here.cluster.calls.length;
  // The stand-in's own notes are not the deployer's to hold.
  here.cluster.calls.length = 0;
  held.push(heldMemory());
}
const minutes = (performance.now() - began) / 60_000;
await here.close();
printMachine();
printTable(
  [
    "endpoints",
    "deployments",
    "looks",
    "unanswered",
    "requests a minute",
    "an endpoint",
    "look p50 ms",
    "p99 ms",
  ],
  [
    [
      String(ENDPOINTS),
      String(DEPLOYMENTS),
      String(took.length),
      String(unanswered),
      (requests / minutes).toFixed(0),
      (requests / minutes / ENDPOINTS).toFixed(3),
      median(took).toFixed(1),
      percentile(took, 99).toFixed(1),
    ],
  ],
);
printTable(
  ["held at", ...held.map((_, quarter) => (quarter === 0 ? "first" : `${quarter} of ${QUARTERS}`))],
  [
    ["heap MB", ...held.map(({ heapMb }) => heapMb.toFixed(1))],
    ["resident MB", ...held.map(({ rssMb }) => rssMb.toFixed(0))],
  ],
);
