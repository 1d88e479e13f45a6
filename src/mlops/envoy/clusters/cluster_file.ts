import { createHash } from "node:crypto";
import type { KnownCluster } from "./known_cluster.ts";
import { type OutsideServers, standardOutside, overTls, authorized } from "./outside_servers.ts";
import { balancedServers, retryBudget, toAnotherServer } from "./server_choice.ts";

export const metadataKey = "model_deployer";

/**
 * All clusters as Envoy's discovery response; its version is a digest of the content.
 *
 * Idle connections end after 3 s, before servers end theirs (75 s here, 5 s by default in uvicorn), or a request could meet
 * a server that is just hanging up. DEFAULT priority carries the mirror alone.
 */
export function toClusterFile(
  clusters: readonly KnownCluster[],
  outside: OutsideServers = standardOutside,
): { version: string; content: string } {
  const resources = [...clusters]
    .sort((a, b) => (a.deployment_id < b.deployment_id ? -1 : 1))
    .map((cluster) => toResource(cluster, outside));
  const version = createHash("sha256").update(JSON.stringify(resources)).digest("hex").slice(0, 16);
  return { version, content: JSON.stringify({ version_info: version, resources }) };
}

function toResource(
  { deployment_id, addresses, added_in, copies_at_once }: KnownCluster,
  outside: OutsideServers,
): Record<string, unknown> {
  const named = addresses.find(({ tls }) => tls === true);
  const lb_endpoints = addresses.map(({ host, port }) => {
    return { endpoint: { address: { socket_address: { address: host, port_value: port } } } };
  });
  const hasSeveral = addresses.length > 1;
  return {
    "@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster",
    name: deployment_id,
    ...(named === undefined ? { type: "STATIC" } : overTls(named.host, outside)),
    connect_timeout: "1s",
    load_assignment: { cluster_name: deployment_id, endpoints: [{ lb_endpoints }] },
    ...(hasSeveral && balancedServers),
    circuit_breakers: {
      thresholds: [
        breaker("DEFAULT", copies_at_once, { max_retries: 16 }),
        breaker("HIGH", 65_536, hasSeveral ? { retry_budget: retryBudget } : { max_retries: 1_024 }),
      ],
    },
    typed_extension_protocol_options: {
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        common_http_protocol_options: { idle_timeout: "3s" },
        explicit_http_config: { http_protocol_options: {} },
        ...(hasSeveral && { retry_policy: toAnotherServer }),
        ...(named !== undefined && outside.token !== null && { http_filters: authorized(outside.token) }),
      },
    },
    metadata: { filter_metadata: { [metadataKey]: { added_in } } },
  };
}

function breaker(priority: string, requests: number, retries: object): Record<string, unknown> {
  return {
    priority,
    max_connections: requests,
    max_pending_requests: requests,
    max_requests: requests,
    ...retries,
  };
}
