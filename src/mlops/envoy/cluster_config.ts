import { createHash } from "node:crypto";
import { z } from "zod";
import { RUN_OF_FAILURES } from "../../agents/model_deployer/domain/rollout.ts";
import type { ServerAddress } from "../../agents/model_deployer/ports.ts";

/** One deployment as Envoy knows it. */
export interface KnownCluster extends ServerAddress {
  /** The generation that added it; names the life of its counters, which begin at zero when it is added again. */
  added_in: number;
}

const metadataKey = "model_deployer";

/**
 * All clusters as Envoy's discovery response; its version is a digest of the content.
 *
 * Idle connections end after 3 s, before uvicorn and Node end theirs (5 s), or a request could meet a server that is just
 * hanging up. Outlier detection counts runs of failures and ejects nobody. DEFAULT priority carries the mirror alone: a slow shadow holds 64 requests, the rest is not mirrored.
 */
export function toClusterFile(clusters: readonly KnownCluster[]): { version: string; content: string } {
  const resources = [...clusters]
    .sort((a, b) => (a.deployment_id < b.deployment_id ? -1 : 1))
    .map((cluster) => toResource(cluster));
  const version = createHash("sha256").update(JSON.stringify(resources)).digest("hex").slice(0, 16);
  return { version, content: JSON.stringify({ version_info: version, resources }) };
}

function toResource({ deployment_id, host, port, added_in }: KnownCluster): Record<string, unknown> {
  const endpoint = { address: { socket_address: { address: host, port_value: port } } };
  return {
    "@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster",
    name: deployment_id,
    type: "STATIC",
    connect_timeout: "1s",
    load_assignment: { cluster_name: deployment_id, endpoints: [{ lb_endpoints: [{ endpoint }] }] },
    circuit_breakers: {
      thresholds: [breaker("DEFAULT", 64, 16), breaker("HIGH", 65_536, 1_024)],
    },
    typed_extension_protocol_options: {
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        common_http_protocol_options: { idle_timeout: "3s" },
        explicit_http_config: { http_protocol_options: {} },
      },
    },
    outlier_detection: {
      consecutive_5xx: RUN_OF_FAILURES,
      enforcing_consecutive_5xx: 0,
      enforcing_success_rate: 0,
      enforcing_failure_percentage: 0,
    },
    metadata: { filter_metadata: { [metadataKey]: { added_in } } },
  };
}

function breaker(priority: string, requests: number, retries: number): Record<string, unknown> {
  return {
    priority,
    max_connections: requests,
    max_pending_requests: requests,
    max_requests: requests,
    max_retries: retries,
  };
}

const socketAddressSchema = z.object({ address: z.string(), port_value: z.int() });
const endpointSchema = z.object({ address: z.object({ socket_address: socketAddressSchema }) });

/** `/config_dump?resource=dynamic_active_clusters`. */
export const clusterDumpSchema = z.object({
  configs: z
    .array(
      z.object({
        cluster: z.object({
          name: z.string(),
          metadata: z.object({
            filter_metadata: z.object({ [metadataKey]: z.object({ added_in: z.int() }) }),
          }),
          load_assignment: z.object({
            endpoints: z.tuple([
              z.object({ lb_endpoints: z.tuple([z.object({ endpoint: endpointSchema })]) }),
            ]),
          }),
        }),
      }),
    )
    .default([]),
});

export function toKnownClusters(dump: z.infer<typeof clusterDumpSchema>): KnownCluster[] {
  return dump.configs.map(({ cluster }) => {
    const socket = cluster.load_assignment.endpoints[0].lb_endpoints[0].endpoint.address.socket_address;
    return {
      deployment_id: cluster.name,
      host: socket.address,
      port: socket.port_value,
      added_in: cluster.metadata.filter_metadata[metadataKey].added_in,
    };
  });
}
