import { createHash } from "node:crypto";
import { z } from "zod";
import { retriedUnseen } from "./route_config.ts";

export interface HostAddress {
  host: string;
  port: number;
  tls?: true;
}

/** How servers that are reached over TLS are recognised, and what they are told. */
export interface OutsideServers {
  /** File with the certificates of the authorities that are trusted. */
  authorities: string;
  /** Sent to them as a bearer token, instead of what callers send; null where they ask for none. */
  token: string | null;
}

export const standardOutside: OutsideServers = {
  authorities: "/etc/ssl/certs/ca-certificates.crt",
  token: null,
};

/** One deployment as Envoy knows it. */
export interface KnownCluster {
  deployment_id: string;
  /** Of each of its servers, at least one, in the order of `inOrder`. */
  addresses: HostAddress[];
  /** The generation that added it; names the life of its counters, which begin at zero when it is added again. */
  added_in: number;
  /** How many mirrored requests this Envoy keeps under way; the rest is not mirrored. */
  copies_at_once: number;
}

const MOST_COPIES = 64;
/** Requests that wait for a server's threads, unless a setting says otherwise. */
export const STANDARD_QUEUE = 64;

/**
 * What one of several Envoys may keep under way, so that all of them together fill no more than a shadow's queue: callers wait
 * for no copy, so nothing else slows them down, and what a full queue turns away would count as the shadow's failure.
 */
export function copiesAtOnce(predictionQueue: number, envoys: number): number {
  return Math.max(1, Math.floor(Math.min(MOST_COPIES, predictionQueue) / Math.max(1, envoys)));
}

const metadataKey = "model_deployer";

/** One order for the same addresses, however they were found. */
export function inOrder(addresses: readonly HostAddress[]): HostAddress[] {
  return [...addresses].sort((a, b) => (a.host === b.host ? a.port - b.port : a.host < b.host ? -1 : 1));
}

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
    ...(hasSeveral && betweenSeveral),
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

/** The certificate has to be for the name, and be signed by an authority that is trusted. */
function overTls(host: string, { authorities }: OutsideServers): Record<string, unknown> {
  const validation_context = {
    trusted_ca: { filename: authorities },
    match_typed_subject_alt_names: [{ san_type: "DNS", matcher: { exact: host } }, wildcardOf(host)],
  };
  return {
    type: "STRICT_DNS",
    dns_lookup_family: "V4_PREFERRED",
    transport_socket: {
      name: "envoy.transport_sockets.tls",
      typed_config: {
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
        sni: host,
        common_tls_context: { validation_context },
      },
    },
  };
}

/** Of the host's domain, as in `*.example.org` for `model.example.org`. */
const wildcardOf = (host: string) => ({
  san_type: "DNS",
  matcher: { exact: `*${host.slice(host.indexOf("."))}` },
});

/** On the way to the server, so that copies for a shadow have it too and callers never see it. */
function authorized(token: string): object[] {
  const header = { key: "authorization", value: `Bearer ${token}` };
  const request_mutations = [{ append: { header, append_action: "OVERWRITE_IF_EXISTS_OR_ADD" } }];
  const extension = "type.googleapis.com/envoy.extensions.filters.http";
  return [
    {
      name: "envoy.filters.http.header_mutation",
      typed_config: {
        "@type": `${extension}.header_mutation.v3.HeaderMutation`,
        mutations: { request_mutations },
      },
    },
    {
      name: "envoy.filters.http.upstream_codec",
      typed_config: { "@type": `${extension}.upstream_codec.v3.UpstreamCodec` },
    },
  ];
}

/**
 * Only where there is a server to go to instead: each is asked once a second whether it is ready, and one that is not, or
 * whose connection has broken, gets nothing until it is. Where none seems ready, all get requests, for a busy machine may
 * make every check late. The fewest open requests decide, so that a slow server gets fewer.
 */
const betweenSeveral = {
  lb_policy: "LEAST_REQUEST",
  // By default the second server that breaks within a second gets requests until that second is over.
  common_lb_config: { healthy_panic_threshold: { value: 1 }, update_merge_window: "0s" },
  health_checks: [
    {
      timeout: "2s",
      interval: "1s",
      no_traffic_interval: "1s",
      unhealthy_interval: "1s",
      unhealthy_threshold: 2,
      healthy_threshold: 1,
      http_health_check: { path: "/readyz" },
    },
  ],
  outlier_detection: {
    split_external_local_origin_errors: true,
    consecutive_local_origin_failure: 1,
    enforcing_consecutive_local_origin_failure: 100,
    enforcing_consecutive_5xx: 0,
    enforcing_consecutive_gateway_failure: 0,
    enforcing_success_rate: 0,
    enforcing_local_origin_success_rate: 0,
    max_ejection_percent: 100,
    base_ejection_time: "2s",
    max_ejection_time: "10s",
  },
};

/**
 * Stands for the route's policy. A request whose server breaks off goes to one other server and to no third, so that one
 * that ends whatever it meets ends two at most. The dead server has the fewest open requests and is drawn most often, so
 * many draws are allowed.
 */
const toAnotherServer = {
  retry_on: `${retriedUnseen},reset`,
  num_retries: 1,
  retry_host_predicate: [
    {
      name: "envoy.retry_host_predicates.previous_hosts",
      typed_config: {
        "@type": "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate",
      },
    },
  ],
  host_selection_retry_max_attempts: 64,
};

/** At once: half of all requests under way, or as many as one server holds by default, threads and queue (72), and some. */
const retryBudget = { budget_percent: { value: 50 }, min_retry_concurrency: 100 };

function breaker(priority: string, requests: number, retries: object): Record<string, unknown> {
  return {
    priority,
    max_connections: requests,
    max_pending_requests: requests,
    max_requests: requests,
    ...retries,
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
