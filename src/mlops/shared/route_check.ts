import { isIP } from "node:net";
import { routeSchema, type Route } from "../../agents/model_deployer/domain/traffic/rollout.ts";
import { InvalidRequestError, ServiceRefusedError } from "../../agents/model_deployer/errors.ts";
import type { ServerAddress } from "../../agents/model_deployer/ports/traffic_router_port.ts";

const endpointNamePattern = /^[a-z0-9](?:[-_a-z0-9]{0,61}[a-z0-9])?$/;
const deploymentIdPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/** @throws InvalidRequestError */
export function assertEndpointName(name: string): void {
  if (endpointNamePattern.test(name)) return;
  throw new InvalidRequestError(
    `endpoint name ${JSON.stringify(name.slice(0, 80))}: use 1 to 63 of a-z, 0-9, "-" and "_", no "-" or "_" at either end`,
  );
}

/**
 * Refuses what no router can carry out: weights that neither are absent nor sum to 100, a deployment with a weight or the
 * mirror without an address, a malformed id or address.
 *
 * @param known deployments whose address the endpoint knows already
 * @throws InvalidRequestError for the endpoint's name; ServiceRefusedError that names everything else
 */
export function checkRoute(
  service: string,
  route: Route,
  servers: readonly ServerAddress[],
  known: readonly string[],
): void {
  assertEndpointName(route.endpoint_name);
  const problems = [...routeProblems(route), ...serverProblems(route, servers, known)];
  if (problems.length === 0) return;
  throw new ServiceRefusedError(
    service,
    `generation ${route.generation} of endpoint ${route.endpoint_name} is refused: ${problems.join("; ")}`,
    { details: { endpoint_name: route.endpoint_name, generation: route.generation, problems } },
  );
}

function routeProblems(route: Route): string[] {
  const parsed = routeSchema.safeParse(route);
  if (!parsed.success) return parsed.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`);
  const weights = Object.values(route.weights);
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.length === 0 || sum === 100 ? [] : [`weights sum to ${sum}, not 100`];
}

function serverProblems(route: Route, servers: readonly ServerAddress[], known: readonly string[]): string[] {
  const mentioned = [...Object.keys(route.weights), ...mirrorOf(route)];
  const malformed = mentioned.filter((id) => !deploymentIdPattern.test(id));
  const given = new Set(servers.map((server) => server.deployment_id));
  const unknown = neededDeployments(route).filter((id) => !given.has(id) && !known.includes(id));
  const addresses = servers.filter(
    ({ host, port, tls }) => !(tls === true ? isName(host) : isIP(host) !== 0) || port < 1 || port > 65_535,
  );
  const places = servers.map(({ deployment_id, host, port }) => `${deployment_id} ${host}:${port}`);
  const repeated = places.length - new Set(places).size;
  return [
    ...malformed.map((id) => `deployment id ${JSON.stringify(id.slice(0, 140))} is malformed`),
    ...unknown.map((id) => `no server address for deployment ${id}`),
    ...addresses.map(
      ({ host, port, tls }) => `${host}:${port} is no ${tls === true ? "name" : "IP address"} with a port`,
    ),
    ...(repeated > 0 ? ["a deployment has the same server address twice"] : []),
  ];
}

function isName(host: string): boolean {
  return host.length <= 253 && /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)+$/.test(host);
}

/** Deployments that get requests under this route, mirrored ones included. */
export function neededDeployments(route: Route): string[] {
  const weighted = Object.entries(route.weights).filter(([, weight]) => weight > 0);
  return [...new Set([...weighted.map(([id]) => id), ...mirrorOf(route)])];
}

function mirrorOf(route: Route): string[] {
  return route.mirror_deployment_id === null ? [] : [route.mirror_deployment_id];
}
