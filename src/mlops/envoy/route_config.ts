import { z } from "zod";
import type { Route } from "../../agents/model_deployer/domain/traffic/rollout.ts";

/** Name of the route configuration that the listener subscribes to. */
export const routeConfigName = "routes";
/** The static cluster that answers for an endpoint without weights; no deployment id can hold an `@`. */
export const noProductionCluster = "@no-production";

/** Failures of which it is sure that the server has not begun with the request. */
export const retriedUnseen = "connect-failure,refused-stream,reset-before-request";

/**
 * The paths that callers may ask of a model: whether it is healthy, as the pipeline's client does before each prediction, its
 * predictions, what the Open Inference Protocol tells, and the description of both.
 * Paths for the deployer alone, such as a row that the model was trained on, are none of a caller's business.
 */
const modelPaths = "/(healthz|predict|invocations|openapi\\.json|v2(/.*)?)";
/**
 * By these the deployer marks its own requests, which it sends to the server itself and which are not logged. They are
 * taken off whatever a caller sends.
 */
const deployerHeaders = ["x-model-deployer-probe", "x-model-deployer-secret"];

const generationHeader = "x-endpoint-generation";
const deploymentHeader = "x-deployment-id";

/**
 * The route as Envoy's discovery response; its version is the generation.
 *
 * A prediction is sent again only where the server cannot have seen it: connecting failed, or the stream was refused or
 * reset before any of the request was sent. A deployment with several servers has a policy of its own, in its cluster.
 * Production goes out at HIGH priority, so that it never shares a circuit breaker with mirrored requests, which Envoy
 * sends at DEFAULT. `hosts` are the names of deployments that are reached by one.
 */
export function toRouteFile(
  route: Route,
  answerSeconds: number,
  hosts: ReadonlyMap<string, string> = new Map(),
): string {
  const { endpoint_name, generation, mirror_deployment_id } = route;
  const action = {
    ...target(route, hosts),
    timeout: `${answerSeconds}s`,
    priority: "HIGH",
    retry_policy: { retry_on: retriedUnseen, num_retries: 2 },
    request_mirror_policies: mirrorsTo(mirror_deployment_id, hosts),
  };
  return JSON.stringify({
    version_info: String(generation),
    resources: [
      {
        "@type": "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
        name: routeConfigName,
        virtual_hosts: [
          {
            name: endpoint_name,
            domains: ["*"],
            response_headers_to_add: [answerHeader(generationHeader, String(generation))],
            request_headers_to_remove: deployerHeaders,
            routes: [{ match: { safe_regex: { regex: modelPaths } }, route: action }],
          },
        ],
      },
    ],
  });
}

function mirrorsTo(id: string | null, hosts: ReadonlyMap<string, string>): object[] {
  if (id === null) return [];
  return [{ cluster: id, disable_shadow_host_suffix_append: true, ...rewrittenHost(hosts.get(id)) }];
}

/** A server behind others' balancer is found by its name. */
const rewrittenHost = (host: string | undefined) =>
  host === undefined ? {} : { host_rewrite_literal: host };

function target({ weights }: Route, hosts: ReadonlyMap<string, string>): Record<string, unknown> {
  const entries = Object.entries(weights);
  if (entries.length === 0) return { cluster: noProductionCluster };
  const clusters = entries.map(([name, weight]) => ({
    name,
    weight,
    ...rewrittenHost(hosts.get(name)),
    response_headers_to_add: [answerHeader(deploymentHeader, name)],
  }));
  return { weighted_clusters: { clusters } };
}

/** A header of the answer that no server behind the router can forge. */
export function answerHeader(key: string, value: string): Record<string, unknown> {
  return { header: { key, value }, append_action: "OVERWRITE_IF_EXISTS_OR_ADD" };
}

const routeActionSchema = z.object({
  cluster: z.string().optional(),
  weighted_clusters: z
    .object({ clusters: z.array(z.object({ name: z.string(), weight: z.int().default(0) })) })
    .optional(),
  request_mirror_policies: z.array(z.object({ cluster: z.string() })).default([]),
});

/** The file that `toRouteFile` writes. */
export const routeFileSchema = z.object({
  resources: z.array(
    z.object({
      virtual_hosts: z.array(z.object({ routes: z.array(z.object({ route: routeActionSchema })) })),
    }),
  ),
});

/** `/config_dump?resource=dynamic_route_configs`; nothing in it while no route is in force. */
export const routeDumpSchema = z.object({
  configs: z
    .array(
      z.object({
        version_info: z.string().regex(/^\d+$/),
        route_config: z.object({
          virtual_hosts: z
            .array(
              z.object({
                name: z.string(),
                routes: z.array(z.object({ route: routeActionSchema })).length(1),
              }),
            )
            .length(1),
        }),
      }),
    )
    .max(1)
    .default([]),
});

/** The route that a dump describes; null when none is in force. */
export function toRoute(dump: z.infer<typeof routeDumpSchema>): Route | null {
  const config = dump.configs[0];
  const host = config?.route_config.virtual_hosts[0];
  const action = host?.routes[0]?.route;
  if (config === undefined || host === undefined || action === undefined) return null;
  const clusters = action.weighted_clusters?.clusters ?? [];
  return {
    endpoint_name: host.name,
    generation: Number(config.version_info),
    weights: Object.fromEntries(clusters.map(({ name, weight }) => [name, weight])),
    mirror_deployment_id: action.request_mirror_policies[0]?.cluster ?? null,
  };
}
