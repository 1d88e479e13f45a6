import { OPEN_INGRESS } from "../../../agents/model_deployer/domain/access/ingress_policy.ts";
import { extension } from "../extension.ts";
import { connectionManager, ingressListener, routerFilter, watchedIn } from "../ingress/ingress_listener.ts";
import { isStagingEndpoint } from "../../../agents/model_deployer/domain/values/names.ts";
import { noProductionCluster, answerHeader } from "../route_config.ts";

export interface BootstrapInput {
  endpoint_name: string;
  host: string;
  port: number;
  admin_socket: string;
  /** For an Envoy that is asked from elsewhere: the port at which it answers what its admin interface reads. */
  readings_port?: number;
  /** The folder that holds the two files below, and that Envoy watches for renames. */
  folder: string;
  clusters_file: string;
  routes_file: string;
  /** The file with the listener for callers; without it the listener is the bootstrap's own, and takes no policy. */
  listener_file?: string;
}

const noProductionListener = "no-production";
/** Seconds in `Retry-After` while there is no production version, which takes minutes to come. */
const RETRY_AFTER_SECONDS = 5;
/** Above the servers' own limit, so that a shadow itself refuses a request that is too large, as production would. */
const MAXIMUM_BODY_BYTES = 17 * 1024 * 1024;

/**
 * The configuration that an endpoint's Envoy starts with; it never changes during the endpoint's life, since clusters,
 * routes and the listener for callers come from files. Envoy cannot mirror a request that it answers by itself, so an
 * endpoint without a production version is routed to a second, internal listener of the same process, which answers 503
 * once it has the whole request: an earlier answer would end the mirrored copy too.
 */
export function toBootstrap(input: BootstrapInput): string {
  const watched = watchedIn(input.folder);
  const { listener_file } = input;
  const own = { ...input, policy: OPEN_INGRESS, routes: watched(input.routes_file) };
  return JSON.stringify({
    node: { id: input.endpoint_name, cluster: "model-deployer" },
    admin: { address: adminAddress(input) },
    bootstrap_extensions: [
      {
        name: "envoy.bootstrap.internal_listener",
        typed_config: extension("bootstrap.internal_listener.v3.InternalListener"),
      },
    ],
    stats_flush_interval: "1s",
    dynamic_resources: {
      cds_config: watched(input.clusters_file),
      ...(listener_file !== undefined && { lds_config: watched(listener_file) }),
    },
    static_resources: {
      listeners: [
        ...(listener_file === undefined ? [ingressListener(own)] : []),
        noProduction(input.endpoint_name),
        ...readings(input),
      ],
      clusters: [noProductionTarget(), ...(input.readings_port === undefined ? [] : [adminTarget(input)])],
    },
  });
}

/** A name that begins with "@" is one of the pod's network, and no file whose mode could be set. */
function adminAddress({ admin_socket: path }: BootstrapInput): object {
  return { pipe: path.startsWith("@") ? { path } : { path, mode: 0o600 } };
}

const adminCluster = "@admin";
const readPaths = ["/config_dump", "/stats", "/server_info", "/ready"];

function adminTarget(input: BootstrapInput): object {
  return {
    name: adminCluster,
    connect_timeout: "1s",
    load_assignment: {
      cluster_name: adminCluster,
      endpoints: [{ lb_endpoints: [{ endpoint: { address: adminAddress(input) } }] }],
    },
  };
}

/** The admin interface can end Envoy and empty its counters; only what reads is let through. */
function readings({ host, readings_port }: BootstrapInput): object[] {
  if (readings_port === undefined) return [];
  const headers = [{ name: ":method", string_match: { exact: "GET" } }];
  const routes = readPaths.map((path) => ({
    match: { path, headers },
    route: { cluster: adminCluster, timeout: "5s" },
  }));
  const manager = connectionManager("readings", {
    route_config: { name: "readings", virtual_hosts: [{ name: "readings", domains: ["*"], routes }] },
  });
  return [
    {
      name: "readings",
      address: { socket_address: { address: host, port_value: readings_port } },
      filter_chains: [{ filters: [manager] }],
    },
  ];
}

function noProduction(endpointName: string): object {
  const stage = isStagingEndpoint(endpointName) ? "staging" : "production";
  const body = JSON.stringify({
    error: `no_${stage}_version`,
    error_code: "TEMPORARILY_UNAVAILABLE",
    message: `endpoint ${endpointName} has no ${stage} version at present`,
    endpoint_name: endpointName,
  });
  const whole = extension("filters.http.buffer.v3.Buffer", { max_request_bytes: MAXIMUM_BODY_BYTES });
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
            answerHeader("retry-after", String(RETRY_AFTER_SECONDS)),
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
