import type { Route } from "../../../agents/model_deployer/domain/traffic/rollout.ts";
import type { ServerAddress } from "../../../agents/model_deployer/ports/traffic_router_port.ts";
import type { EnvoyReadings } from "../admin_readings.ts";
import { inOrder, type KnownCluster } from "./known_cluster.ts";
import { neededDeployments } from "../../shared/route_check.ts";

/**
 * How many clusters without traffic Envoy keeps, so that going back to one is a single change and its counters last.
 */
const KEPT_UNUSED_CLUSTERS = 8;

/** Of deployments that are reached by a name. */
export function hostsOf(clusters: readonly KnownCluster[]): Map<string, string> {
  return new Map(
    clusters.flatMap(({ deployment_id, addresses }) =>
      addresses.flatMap(({ host, tls }) => (tls === true ? [[deployment_id, host] as const] : [])),
    ),
  );
}

export function withServers(
  known: readonly KnownCluster[],
  route: Route,
  servers: readonly ServerAddress[],
  copies_at_once: number,
): KnownCluster[] {
  const wanted = new Map(known.map((cluster) => [cluster.deployment_id, { ...cluster, copies_at_once }]));
  const needed = new Set(neededDeployments(route));
  for (const deployment_id of new Set(servers.map((server) => server.deployment_id))) {
    if (!needed.has(deployment_id)) continue;
    const own = servers.filter((server) => server.deployment_id === deployment_id);
    const addresses = inOrder(own.map(({ deployment_id: _id, ...address }) => address));
    // A server that moved keeps its cluster, and with it its counters.
    const added_in = wanted.get(deployment_id)?.added_in ?? route.generation;
    wanted.set(deployment_id, { deployment_id, addresses, added_in, copies_at_once });
  }
  return [...wanted.values()];
}

/** Leaves out the oldest clusters that neither route uses and whose last request has ended. */
export async function withoutIdle(
  context: { admin: Pick<EnvoyReadings, "stats">; signal: AbortSignal },
  clusters: KnownCluster[],
  before: Route,
  after: Route,
): Promise<KnownCluster[]> {
  const used = new Set([...neededDeployments(before), ...neededDeployments(after)]);
  const unused = clusters
    .filter((cluster) => !used.has(cluster.deployment_id))
    .sort((a, b) => b.added_in - a.added_in)
    .slice(KEPT_UNUSED_CLUSTERS);
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
