import { createConnection } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import type { Route } from "../../agents/model_deployer/domain/rollout.ts";
import {
  ConflictError,
  ServiceRefusedError,
  ServiceUnavailableError,
} from "../../agents/model_deployer/errors.ts";
import type { ServerAddress } from "../../agents/model_deployer/ports.ts";
import { envoyService, type EnvoyAdmin, type SubscriptionName } from "./admin.ts";
import { toClusterFile, type KnownCluster } from "./cluster_config.ts";
import type { EndpointFolder } from "./endpoint_folder.ts";
import { lastComplaint } from "./envoy_process.ts";
import type { GenerationFence, Superseded } from "./generation_fence.ts";
import { neededDeployments } from "./route_check.ts";
import { toRouteFile } from "./route_config.ts";

/** Clusters without traffic that stay known, so that going back to one is a single change and its figures last. */
const keptUnusedClusters = 8;
const acknowledgeDeadlineMs = 5_000;
const acknowledgePollMs = 1;
const dialTimeoutMs = 1_000;

/** Everything that a change of one endpoint works with. */
export interface ChangeContext {
  folder: EndpointFolder;
  admin: EnvoyAdmin;
  fence: GenerationFence;
  signal: AbortSignal;
}

/**
 * Brings Envoy to a checked route: first the clusters that it lacks, then the routes, each acknowledged. What Envoy itself
 * has in force is the only starting point; the files are but the way in.
 *
 * @returns what is in force afterwards: this route, or a newer one
 * @throws ServiceRefusedError when Envoy rejects it, with the former files put back; ConflictError when somebody is about
 *   to bring a newer generation; ServiceUnavailableError without an acknowledgement in time.
 */
export async function changeTraffic(
  context: ChangeContext,
  route: Route,
  servers: readonly ServerAddress[],
): Promise<Route> {
  const { admin, fence, signal } = context;
  const claim = await fence.claim(route.generation);
  if (claim.outcome === "superseded") return supersededBy(context, route, claim.by);
  // From here on no older generation can move what is read.
  const [before, known, subscriptions] = await Promise.all([
    routeInForce(context),
    admin.clusters(signal),
    admin.subscriptions(signal),
  ]);
  if (before.generation >= route.generation) {
    if (sameRoute(before, route)) await followMovedServers(context, route, servers);
    return before;
  }
  const wanted = await withoutIdle(context, withServers(known, route, servers), before, route);
  const added = await publishClusters(context, route, known, wanted);
  if (added?.outcome === "superseded") return supersededBy(context, route, added.by);

  const switched = await publish(context, route, {
    name: "routes",
    content: toRouteFile(route, context.folder.answer_seconds),
    former: toRouteFile(before, context.folder.answer_seconds),
    rejected: subscriptions.routes.rejected,
    look: async () => {
      const present = await admin.route(signal);
      return present?.generation === route.generation ? present : null;
    },
  });
  return switched.outcome === "superseded" ? supersededBy(context, route, switched.by) : switched.seen;
}

async function routeInForce({ admin, folder, signal }: ChangeContext): Promise<Route> {
  const route = await admin.route(signal);
  if (route !== null) return route;
  throw new ServiceUnavailableError(
    envoyService,
    `Envoy of endpoint ${folder.endpoint_name} has no route yet; open it`,
  );
}

/** A newer generation may be in force, which answers the caller, or only claimed, which is a conflict. */
async function supersededBy(context: ChangeContext, route: Route, by: number): Promise<Route> {
  const present = await routeInForce(context);
  if (present.generation >= route.generation) return present;
  const name = route.endpoint_name;
  throw new ConflictError(
    `generation ${route.generation} of endpoint ${name} is stale: somebody has begun to apply generation ${by}`,
    { details: { endpoint_name: name, generation: route.generation, newer_generation: by } },
  );
}

function withServers(
  known: readonly KnownCluster[],
  route: Route,
  servers: readonly ServerAddress[],
): KnownCluster[] {
  const wanted = new Map(known.map((cluster) => [cluster.deployment_id, cluster]));
  const needed = new Set(neededDeployments(route));
  for (const { deployment_id, host, port } of servers) {
    if (!needed.has(deployment_id)) continue;
    // A server that moved keeps its cluster, and with it its counters.
    const added_in = wanted.get(deployment_id)?.added_in ?? route.generation;
    wanted.set(deployment_id, { deployment_id, host, port, added_in });
  }
  return [...wanted.values()];
}

/** Leaves out the oldest clusters that neither route uses and whose last request has ended. */
async function withoutIdle(
  context: ChangeContext,
  clusters: KnownCluster[],
  before: Route,
  after: Route,
): Promise<KnownCluster[]> {
  const used = new Set([...neededDeployments(before), ...neededDeployments(after)]);
  const unused = clusters
    .filter((cluster) => !used.has(cluster.deployment_id))
    .sort((a, b) => b.added_in - a.added_in)
    .slice(keptUnusedClusters);
  if (unused.length === 0) return clusters;
  const { values } = await context.admin.stats(
    "^cluster\\..*\\.upstream_rq_(active|pending_active)$",
    context.signal,
  );
  const gone = unused.filter(({ deployment_id: id }) => {
    const open = ["upstream_rq_active", "upstream_rq_pending_active"];
    return open.every((gauge) => values.get(`cluster.${id}.${gauge}`) === 0);
  });
  return clusters.filter((cluster) => !gone.includes(cluster));
}

/** Null when Envoy knows exactly these clusters already. */
async function publishClusters(
  context: ChangeContext,
  route: Route,
  known: readonly KnownCluster[],
  wanted: readonly KnownCluster[],
): Promise<Acknowledged<true> | Superseded | null> {
  const former = toClusterFile(known);
  const { version, content } = toClusterFile(wanted);
  if (version === former.version) return null;
  const { clusters } = await context.admin.subscriptions(context.signal);
  return publish(context, route, {
    name: "clusters",
    content,
    former: former.content,
    rejected: clusters.rejected,
    look: async () => {
      const { clusters } = await context.admin.subscriptions(context.signal);
      return clusters.version === version ? true : null;
    },
  });
}

interface Acknowledged<Seen> {
  outcome: "acknowledged";
  seen: Seen;
}

interface Publication<Seen> {
  name: SubscriptionName;
  content: string;
  /** What is put back when Envoy rejects the content, so that a restart does not meet it. */
  former: string;
  /** How often Envoy had rejected this file before. */
  rejected: number;
  /** What Envoy has in force, once that is this content. */
  look: () => Promise<Seen | null>;
}

/** Puts one file in its place and waits for Envoy's word. */
async function publish<Seen>(
  context: ChangeContext,
  route: Route,
  { name, content, former, rejected, look }: Publication<Seen>,
): Promise<Acknowledged<Seen> | Superseded> {
  const { admin, fence, folder, signal } = context;
  const published = await fence.publish(route.generation, folder[name], content);
  if (published.outcome === "superseded") return published;

  const deadline = performance.now() + acknowledgeDeadlineMs;
  while (performance.now() < deadline) {
    const seen = await look();
    if (seen !== null) return { outcome: "acknowledged", seen };
    if ((await admin.subscriptions(signal))[name].rejected > rejected) {
      await fence.publish(route.generation, folder[name], former);
      throw await rejection(folder, route, name);
    }
    await delay(acknowledgePollMs);
  }
  throw new ServiceUnavailableError(
    envoyService,
    `Envoy of endpoint ${route.endpoint_name} did not acknowledge the ${name} of generation ${route.generation} in time`,
  );
}

async function rejection(
  folder: EndpointFolder,
  route: Route,
  name: SubscriptionName,
): Promise<ServiceRefusedError> {
  const complaint = await lastComplaint(folder);
  return new ServiceRefusedError(
    envoyService,
    `Envoy rejects the ${name} of generation ${route.generation} of endpoint ${route.endpoint_name}: ${complaint}`,
    { details: { endpoint_name: route.endpoint_name, generation: route.generation } },
  );
}

/**
 * The route is in force already, but a server may have been started anew on another port since. The new address is taken
 * only when something listens there, so that a caller with outdated knowledge cannot send traffic to a dead server.
 */
async function followMovedServers(
  context: ChangeContext,
  route: Route,
  servers: readonly ServerAddress[],
): Promise<void> {
  const known = await context.admin.clusters(context.signal);
  const moved = withServers(known, route, servers).filter((cluster) => {
    const { host, port } = known.find((k) => k.deployment_id === cluster.deployment_id) ?? {};
    return host !== cluster.host || port !== cluster.port;
  });
  if (moved.length === 0) return;
  for (const server of moved) await dial(server, context.signal);
  await publishClusters(context, route, known, withServers(known, route, servers));
}

function dial(server: ServerAddress, signal: AbortSignal): Promise<void> {
  const { deployment_id, host, port } = server;
  const bounded = AbortSignal.any([signal, AbortSignal.timeout(dialTimeoutMs)]);
  return new Promise((resolve, reject) => {
    const socket = createConnection({ host, port, signal: bounded });
    socket.once("connect", () => {
      socket.destroy();
      resolve();
    });
    socket.once("error", (cause) => {
      const message = `deployment ${deployment_id} does not answer at its new address ${host}:${port}`;
      reject(new ServiceUnavailableError("model server", message, { cause }));
    });
  });
}

function sameRoute(a: Route, b: Route): boolean {
  const ids = new Set([...Object.keys(a.weights), ...Object.keys(b.weights)]);
  if (a.generation !== b.generation) return false;
  const sameWeights = [...ids].every((id) => (a.weights[id] ?? 0) === (b.weights[id] ?? 0));
  return sameWeights && a.mirror_deployment_id === b.mirror_deployment_id;
}
