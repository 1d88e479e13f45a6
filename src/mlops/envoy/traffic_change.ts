import { setTimeout as delay } from "node:timers/promises";
import type { Route } from "../../agents/model_deployer/domain/traffic/rollout.ts";
import {
  ConflictError,
  ServiceRefusedError,
  ServiceUnavailableError,
} from "../../agents/model_deployer/errors.ts";
import type { ServerAddress } from "../../agents/model_deployer/ports/traffic_router_port.ts";
import { type EnvoyReadings, envoyService, type SubscriptionName } from "./admin_readings.ts";
import type { HostAddress, KnownCluster } from "./clusters/known_cluster.ts";
import type { OutsideServers } from "./clusters/outside_servers.ts";
import { toClusterFile } from "./clusters/cluster_file.ts";
import type { GenerationFence, Superseded } from "./generation_fence.ts";
import { toRouteFile } from "./route_config.ts";
import { hostsOf, withoutIdle, withServers } from "./clusters/wanted_clusters.ts";

/**
 * Carries clusters and routes to one Envoy, or to several that serve one endpoint, and reads what they say of them.
 */
export interface TrafficCarrier {
  endpoint_name: string;
  /** Seconds that the router waits for a server's answer. */
  answer_seconds: number;
  outside: OutsideServers;
  admin: Pick<EnvoyReadings, "route" | "clusters" | "subscriptions" | "stats">;
  /** The clusters that a change goes out from. */
  known(signal: AbortSignal): Promise<KnownCluster[]>;
  fence: Pick<GenerationFence, "claim"> & {
    publish(
      generation: number,
      name: SubscriptionName,
      content: string,
    ): Promise<{ outcome: "published" } | Superseded>;
  };
  /** How many mirrored requests each Envoy may keep under way. */
  copies(signal: AbortSignal): Promise<number>;
  /** Envoy's own words on what it rejected last. */
  complaint(): Promise<string>;
  /** @throws ServiceUnavailableError where nothing listens at a new address */
  dial(server: ServerAddress, signal: AbortSignal): Promise<void>;
  acknowledgement: { deadlineMs: number; pollMs: number };
}

interface ChangeContext extends TrafficCarrier {
  signal: AbortSignal;
}

/**
 * Brings Envoy to a checked route: first the clusters that it lacks, then the routes, each acknowledged. The change
 * starts from the configuration that Envoy itself reports; the files only carry it there.
 * @returns the route in force afterwards: this one, or a newer one
 * @throws ServiceRefusedError when Envoy rejects it, with the former files put back; ConflictError when a newer
 * generation was claimed but is not yet in force; ServiceUnavailableError without an acknowledgement in time.
 */
export async function changeTraffic(
  carrier: TrafficCarrier,
  route: Route,
  servers: readonly ServerAddress[],
  signal: AbortSignal,
): Promise<Route> {
  const context: ChangeContext = { ...carrier, signal };
  const { admin, fence } = context;
  const claim = await fence.claim(route.generation);
  if (claim.outcome === "superseded") return supersededBy(context, route, claim.by);
  // From here on no older generation can change the state that is read below.
  const [before, known, subscriptions, copies] = await Promise.all([
    routeInForce(context),
    context.known(signal),
    admin.subscriptions(signal),
    context.copies(signal),
  ]);
  if (before.generation >= route.generation) {
    if (sameRoute(before, route)) await followMovedServers(context, route, servers, copies);
    return before;
  }
  const wanted = await withoutIdle(context, withServers(known, route, servers, copies), before, route);
  const added = await publishClusters(context, route, known, wanted);
  if (added?.outcome === "superseded") return supersededBy(context, route, added.by);

  const switched = await publish(context, route, {
    name: "routes",
    content: toRouteFile(route, context.answer_seconds, hostsOf(wanted)),
    former: toRouteFile(before, context.answer_seconds, hostsOf(known)),
    rejected: subscriptions.routes.rejected,
    look: async () => {
      const present = await admin.route(signal);
      return present?.generation === route.generation ? present : null;
    },
  });
  return switched.outcome === "superseded" ? supersededBy(context, route, switched.by) : switched.seen;
}

async function routeInForce({ admin, endpoint_name, signal }: ChangeContext): Promise<Route> {
  const route = await admin.route(signal);
  if (route !== null) return route;
  throw new ServiceUnavailableError(
    envoyService,
    `Envoy of endpoint ${endpoint_name} has no route yet; open it`,
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

/** Null when Envoy knows exactly these clusters already. */
async function publishClusters(
  context: ChangeContext,
  route: Route,
  known: readonly KnownCluster[],
  wanted: readonly KnownCluster[],
): Promise<Acknowledged<true> | Superseded | null> {
  const former = toClusterFile(known, context.outside);
  const { version, content } = toClusterFile(wanted, context.outside);
  if (version === former.version) return null;
  const { clusters } = await context.admin.subscriptions(context.signal);
  return publish(context, route, {
    name: "clusters",
    content,
    former: former.content,
    rejected: clusters.rejected,
    look: async () => {
      const { clusters } = await context.admin.subscriptions(context.signal);
      if (clusters.version !== version) return null;
      // One with health checks is accepted before it is in use.
      const inUse = await context.admin.clusters(context.signal);
      return toClusterFile(inUse, context.outside).version === version ? true : null;
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
  /** The content that is restored when Envoy rejects the new one, so that a restart does not meet it. */
  former: string;
  /** How often Envoy had rejected this file before. */
  rejected: number;
  /** Reads the configuration in force; null until it is this content. */
  look: () => Promise<Seen | null>;
}

/** Replaces one file and waits until Envoy accepts or rejects it. */
async function publish<Seen>(
  context: ChangeContext,
  route: Route,
  { name, content, former, rejected, look }: Publication<Seen>,
): Promise<Acknowledged<Seen> | Superseded> {
  const { admin, fence, signal, acknowledgement } = context;
  const published = await fence.publish(route.generation, name, content);
  if (published.outcome === "superseded") return published;

  const deadline = performance.now() + acknowledgement.deadlineMs;
  while (performance.now() < deadline) {
    const seen = await look();
    if (seen !== null) return { outcome: "acknowledged", seen };
    if ((await admin.subscriptions(signal))[name].rejected > rejected) {
      await fence.publish(route.generation, name, former);
      throw await rejection(context, route, name);
    }
    await delay(acknowledgement.pollMs);
  }
  throw new ServiceUnavailableError(
    envoyService,
    `Envoy of endpoint ${route.endpoint_name} did not acknowledge the ${name} of generation ${route.generation} within ${acknowledgement.deadlineMs / 1000} s`,
  );
}

async function rejection(
  context: ChangeContext,
  route: Route,
  name: SubscriptionName,
): Promise<ServiceRefusedError> {
  const complaint = await context.complaint();
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
  copies: number,
): Promise<void> {
  const known = await context.known(context.signal);
  const wanted = withServers(known, route, servers, copies);
  const before = new Set(known.flatMap(placesOf));
  const added = wanted.flatMap((cluster) => {
    const addresses = cluster.addresses.filter((address) => !before.has(placeOf(cluster, address)));
    return addresses.map((address) => ({ ...address, deployment_id: cluster.deployment_id }));
  });
  for (const server of added) await context.dial(server, context.signal);
  await publishClusters(context, route, known, wanted);
}

const placeOf = ({ deployment_id }: KnownCluster, { host, port }: HostAddress): string =>
  `${deployment_id} ${host}:${port}`;

const placesOf = (cluster: KnownCluster): string[] =>
  cluster.addresses.map((address) => placeOf(cluster, address));

function sameRoute(a: Route, b: Route): boolean {
  const ids = new Set([...Object.keys(a.weights), ...Object.keys(b.weights)]);
  if (a.generation !== b.generation) return false;
  const sameWeights = [...ids].every((id) => (a.weights[id] ?? 0) === (b.weights[id] ?? 0));
  return sameWeights && a.mirror_deployment_id === b.mirror_deployment_id;
}
