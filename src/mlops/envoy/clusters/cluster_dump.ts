import { z } from "zod";
import { metadataKey } from "./cluster_file.ts";
import { type KnownCluster, inOrder, MOST_COPIES } from "./known_cluster.ts";

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
          circuit_breakers: z.object({
            // Envoy leaves out a priority that is DEFAULT.
            thresholds: z.array(
              z.object({ priority: z.string().default("DEFAULT"), max_requests: z.int().default(1_024) }),
            ),
          }),
          transport_socket: z.object({ name: z.string() }).optional(),
          load_assignment: z.object({
            endpoints: z.tuple([
              z.object({ lb_endpoints: z.array(z.object({ endpoint: endpointSchema })).min(1) }),
            ]),
          }),
        }),
      }),
    )
    .default([]),
});

export function toKnownClusters(dump: z.infer<typeof clusterDumpSchema>): KnownCluster[] {
  return dump.configs.map(({ cluster }) => {
    const addresses = cluster.load_assignment.endpoints[0].lb_endpoints.map(({ endpoint }) => {
      const { address: host, port_value: port } = endpoint.address.socket_address;
      return { host, port, ...(cluster.transport_socket !== undefined && { tls: true as const }) };
    });
    const copies = cluster.circuit_breakers.thresholds.find(({ priority }) => priority === "DEFAULT");
    return {
      deployment_id: cluster.name,
      addresses: inOrder(addresses),
      added_in: cluster.metadata.filter_metadata[metadataKey].added_in,
      copies_at_once: copies?.max_requests ?? MOST_COPIES,
    };
  });
}
