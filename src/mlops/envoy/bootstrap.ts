import { noProductionCluster, routeConfigName, answerHeader } from "./route_config.ts";

export interface BootstrapInput {
  endpoint_name: string;
  host: string;
  port: number;
  admin_socket: string;
  /** The folder that holds the two files below, and that Envoy watches for renames. */
  folder: string;
  clusters_file: string;
  routes_file: string;
}

/** Statistics of the listener begin with `http.ingress.`. */
export const ingressPrefix = "ingress";

const extension = (path: string, fields: object = {}) => ({
  "@type": `type.googleapis.com/envoy.extensions.${path}`,
  ...fields,
});
const noProductionListener = "no-production";
/** For callers that honour it: a first production version takes minutes, not seconds. */
const retryAfterSeconds = 5;
/** More than a server takes, so that it is the shadow that refuses what is too large, as production would. */
const maximumBodyBytes = 17 * 1024 * 1024;

/**
 * What an endpoint's Envoy starts with; it never changes during the endpoint's life. Clusters and routes follow from files.
 *
 * Envoy cannot mirror a request that it answers by itself, so an endpoint without a production version is routed to a
 * second, internal listener of the same process, which gives the 503. It gives it when it has the whole request: an
 * answer ends the request, and with it what is mirrored of it.
 */
export function toBootstrap(input: BootstrapInput): string {
  const watched = (path: string) => ({
    resource_api_version: "V3",
    path_config_source: { path, watched_directory: { path: input.folder } },
  });
  return JSON.stringify({
    node: { id: input.endpoint_name, cluster: "model-deployer" },
    admin: { address: { pipe: { path: input.admin_socket, mode: 0o600 } } },
    bootstrap_extensions: [
      {
        name: "envoy.bootstrap.internal_listener",
        typed_config: extension("bootstrap.internal_listener.v3.InternalListener"),
      },
    ],
    stats_flush_interval: "1s",
    dynamic_resources: { cds_config: watched(input.clusters_file) },
    static_resources: {
      listeners: [ingress(input, watched(input.routes_file)), noProduction(input.endpoint_name)],
      clusters: [noProductionTarget()],
    },
  });
}

/**
 * Callers are never trusted with `x-envoy-*` request headers, which could make Envoy send a prediction twice: with
 * `use_remote_address` each is treated as external, and those headers are dropped. Without `enable_reuse_port: false` two
 * processes could share the port unnoticed.
 */
function ingress({ host, port }: BootstrapInput, routes: object): object {
  const manager = connectionManager(ingressPrefix, {
    use_remote_address: true,
    skip_xff_append: true,
    preserve_external_request_id: true,
    always_set_request_id_in_response: true,
    request_id_extension: {
      typed_config: extension("request_id.uuid.v3.UuidRequestIdConfig", { pack_trace_reason: false }),
    },
    common_http_protocol_options: { idle_timeout: "300s" },
    request_headers_timeout: "10s",
    stream_idle_timeout: "60s",
    rds: { route_config_name: routeConfigName, config_source: routes },
  });
  return {
    name: "ingress",
    address: { socket_address: { address: host, port_value: port } },
    enable_reuse_port: false,
    filter_chains: [{ filters: [manager] }],
  };
}

function noProduction(endpointName: string): object {
  const body = JSON.stringify({
    error: "no_production_version",
    message: `endpoint ${endpointName} has no production version yet`,
    endpoint_name: endpointName,
  });
  const whole = extension("filters.http.buffer.v3.Buffer", { max_request_bytes: maximumBodyBytes });
  const manager = connectionManager("no_production", {
    generate_request_id: false,
    http_filters: [{ name: "envoy.filters.http.buffer", typed_config: whole }, routerFilter],
    route_config: {
      name: "no-production",
      virtual_hosts: [
        {
          name: "no-production",
          domains: ["*"],
          response_headers_to_add: [
            answerHeader("content-type", "application/json"),
            answerHeader("retry-after", String(retryAfterSeconds)),
          ],
          routes: [
            { match: { prefix: "/" }, direct_response: { status: 503, body: { inline_string: body } } },
          ],
        },
      ],
    },
  });
  return {
    name: noProductionListener,
    internal_listener: {},
    filter_chains: [{ filters: [manager] }],
  };
}

function noProductionTarget(): object {
  const address = { envoy_internal_address: { server_listener_name: noProductionListener } };
  return {
    name: noProductionCluster,
    connect_timeout: "1s",
    load_assignment: {
      cluster_name: noProductionCluster,
      endpoints: [{ lb_endpoints: [{ endpoint: { address } }] }],
    },
    transport_socket: {
      name: "envoy.transport_sockets.internal_upstream",
      typed_config: extension("transport_sockets.internal_upstream.v3.InternalUpstreamTransport", {
        transport_socket: {
          name: "envoy.transport_sockets.raw_buffer",
          typed_config: extension("transport_sockets.raw_buffer.v3.RawBuffer"),
        },
      }),
    },
  };
}

const routerFilter = {
  name: "envoy.filters.http.router",
  typed_config: extension("filters.http.router.v3.Router", { suppress_envoy_headers: true }),
};

function connectionManager(statPrefix: string, fields: object): object {
  return {
    name: "envoy.filters.network.http_connection_manager",
    typed_config: extension("filters.network.http_connection_manager.v3.HttpConnectionManager", {
      stat_prefix: statPrefix,
      http_filters: [routerFilter],
      ...fields,
    }),
  };
}
