import { setTimeout as delay } from "node:timers/promises";
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
import { median, percentile } from "../support/figures.ts";
import { option, printMachine, printTable } from "../support/report.ts";

/**
 * Looks at the servers of many endpoints in a stand-in cluster while nothing changes, each every 15 s as a worker looks:
 * requests to the API server, how long a look takes, and memory. Cluster and looks share this process.
 *
 * usage: node bench/engines/main.ts [--endpoints=1000] [--deployments=1000] [--seconds=60]
 */
const ENDPOINTS = option("endpoints", 1_000);
const DEPLOYMENTS = option("deployments", 1_000);
const SECONDS = option("seconds", 60);
const LOOK_SECONDS = 15;
const TICK_MS = 100;

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

async function lookFor(seconds: number, server: ClusterWithServers["server"]): Promise<number[]> {
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

async function look(id: string, server: ClusterWithServers["server"], took: number[]): Promise<void> {
  const began = performance.now();
  const { state } = await server.observe(id, { signal: AbortSignal.timeout(60_000) });
  if (state !== "ready") throw new TypeError(`${id} is ${state}`);
  took.push(performance.now() - began);
}

const megabytes = () => Math.round(process.memoryUsage().rss / 1e6);

const here = await openCluster([tag]);
await fill({ cluster: here.cluster, image: here.imageOf(tag) });
const server = here.another({ freshMs: 500 });
// Each pod is asked once who it is.
await lookFor(LOOK_SECONDS + 1, server);
here.cluster.calls.length = 0;
const before = megabytes();
const began = performance.now();
const took = await lookFor(SECONDS, server);
const minutes = (performance.now() - began) / 60_000;
const requests = here.cluster.calls.length;
await here.close();
printMachine();
printTable(
  [
    "endpoints",
    "deployments",
    "looks",
    "requests a minute",
    "an endpoint",
    "look p50 ms",
    "p99 ms",
    "memory MB",
  ],
  [
    [
      String(ENDPOINTS),
      String(DEPLOYMENTS),
      String(took.length),
      (requests / minutes).toFixed(0),
      (requests / minutes / ENDPOINTS).toFixed(3),
      median(took).toFixed(1),
      percentile(took, 99).toFixed(1),
      `${before} to ${megabytes()}`,
    ],
  ],
);
