import type { Ingress, IngressPolicy } from "../../../agents/model_deployer/domain/access/ingress_policy.ts";
import { extension } from "../extension.ts";
import { routeConfigName } from "../route_config.ts";
import { INGRESS_FILTER, INGRESS_FILTER_TYPE } from "./ingress_filters.ts";
import { CERTIFICATE_NAME } from "./ingress_certificate.ts";
import { ROUTER_ANSWERS } from "./router_answers.ts";

/** Statistics of the listener begin with `http.ingress.`. */
export const ingressPrefix = "ingress";

/**
 * Among several Envoys a caller's connection ends with the answer after so many seconds, so that it finds its way to those
 * that come, and none is cut by one that goes.
 */
export const CONNECTION_SECONDS = 10;

/** A file of discovery, read again where something is moved in this folder. */
export const watchedIn = (folder: string) => (path: string) => ({
  resource_api_version: "V3",
  path_config_source: { path, watched_directory: { path: folder } },
});

export interface IngressPlaces {
  host: string;
  port: number;
  readings_port?: number;
  folder: string;
  routes_file: string;
  filters_file: string;
  certificate_file: string;
}

/** The listener for callers as Envoy's discovery response; what it lets through is the filters' to say. */
export function toListenerFile({ revision, policy }: Ingress, places: IngressPlaces): string {
  const watched = watchedIn(places.folder);
  const listener = ingressListener({
    ...places,
    policy,
    routes: watched(places.routes_file),
    filters: watched(places.filters_file),
    certificate: watched(places.certificate_file),
  });
  const type = "type.googleapis.com/envoy.config.listener.v3.Listener";
  return JSON.stringify({
    version_info: String(revision),
    resources: [{ "@type": type, ...listener }],
  });
}

interface ListenerInput {
  host: string;
  port: number;
  readings_port?: number;
  policy: IngressPolicy;
  /** Where routes, filters and the certificate are told; without filters everybody is let in. */
  routes: object;
  filters?: object;
  certificate?: object;
}

/**
 * Callers are never trusted with `x-envoy-*` request headers, which could make Envoy send a prediction twice: with
 * `use_remote_address` each is treated as external, and those headers are dropped. Without `enable_reuse_port: false` two
 * processes could share the port unnoticed.
 */
export function ingressListener(input: ListenerInput): object {
  const { host, port, policy, certificate } = input;
  const { connections } = policy.limits;
  const isEncrypted = policy.tls !== null && certificate !== undefined;
  return {
    name: "ingress",
    address: { socket_address: { address: host, port_value: port } },
    enable_reuse_port: false,
    filter_chains: [
      {
        filters: [...(connections === null ? [] : [connectionLimit(connections)]), callers(input)],
        ...(isEncrypted && { transport_socket: encrypted(certificate) }),
      },
    ],
  };
}

function callers({ readings_port, policy, routes, filters }: ListenerInput): object {
  const isOneOfSeveral = readings_port !== undefined;
  const { header_seconds, request_seconds, idle_seconds } = policy.limits;
  return connectionManager(ingressPrefix, {
    use_remote_address: true,
    skip_xff_append: true,
    preserve_external_request_id: true,
    always_set_request_id_in_response: true,
    request_id_extension: {
      typed_config: extension("request_id.uuid.v3.UuidRequestIdConfig", { pack_trace_reason: false }),
    },
    common_http_protocol_options: {
      idle_timeout: "300s",
      ...(isOneOfSeveral && { max_connection_duration: `${CONNECTION_SECONDS}s` }),
    },
    ...(isOneOfSeveral && { http1_safe_max_connection_duration: true }),
    request_headers_timeout: `${header_seconds}s`,
    ...(request_seconds !== null && { request_timeout: `${request_seconds}s` }),
    stream_idle_timeout: `${idle_seconds}s`,
    local_reply_config: ROUTER_ANSWERS,
    rds: { route_config_name: routeConfigName, config_source: routes },
    ...(filters !== undefined && {
      http_filters: [
        {
          name: INGRESS_FILTER,
          config_discovery: { config_source: filters, type_urls: [INGRESS_FILTER_TYPE] },
        },
        routerFilter,
      ],
    }),
  });
}

const connectionLimit = (max_connections: number): object => ({
  name: "envoy.filters.network.connection_limit",
  typed_config: extension("filters.network.connection_limit.v3.ConnectionLimit", {
    stat_prefix: ingressPrefix,
    max_connections,
  }),
});

function encrypted(certificate: object): object {
  return {
    name: "envoy.transport_sockets.tls",
    typed_config: extension("transport_sockets.tls.v3.DownstreamTlsContext", {
      common_tls_context: {
        tls_params: { tls_minimum_protocol_version: "TLSv1_2" },
        alpn_protocols: ["http/1.1"],
        tls_certificate_sds_secret_configs: [{ name: CERTIFICATE_NAME, sds_config: certificate }],
      },
    }),
  };
}

export const routerFilter = {
  name: "envoy.filters.http.router",
  typed_config: extension("filters.http.router.v3.Router", { suppress_envoy_headers: true }),
};

export function connectionManager(statPrefix: string, fields: object): object {
  return {
    name: "envoy.filters.network.http_connection_manager",
    typed_config: extension("filters.network.http_connection_manager.v3.HttpConnectionManager", {
      stat_prefix: statPrefix,
      http_filters: [routerFilter],
      ...fields,
    }),
  };
}
