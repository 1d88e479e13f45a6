import type { Route } from "../../../agents/model_deployer/domain/traffic/rollout.ts";
import { ServiceRefusedError } from "../../../agents/model_deployer/errors.ts";
import type { ServerAddress } from "../../../agents/model_deployer/ports/traffic_router_port.ts";
import type { ClusterClient } from "../api/cluster_client.ts";
import { SERVICE } from "../api/cluster_errors.ts";
import type { ClusterServers } from "../server/cluster_servers.ts";
import { MARKS } from "../server/object_names.ts";
import { type AcceptanceOptions, AwaitedAcceptance, deleted, overtaken } from "./awaited_acceptance.ts";
import { FEATURES, featuresOf } from "./gateway_features.ts";
import { routeIn, type RouteState, rulesWith, type SeenRoute } from "./http_route.ts";
import { notesFrom, type PodFigures, readNotes } from "./pod_figures.ts";
import { acceptanceOf } from "./route_acceptance.ts";

export interface RouteSwitchOptions extends AcceptanceOptions {
  client: ClusterClient;
  servers: Pick<ClusterServers, "snapshot">;
  figures: PodFigures;
  answerSeconds: number;
}

const FEATURES_MS = 60_000;

/**
 * Brings an endpoint's HTTPRoute to a checked route. Each write names the version that was seen, and the newest
 * generation stands beside the rule, so that the API server is the fence.
 */
export class HttpRouteSwitch {
  readonly #options: RouteSwitchOptions;
  readonly #acceptance: AwaitedAcceptance;
  #features: { at: number; listed: string[] | null } | null = null;

  constructor(options: RouteSwitchOptions) {
    this.#options = options;
    this.#acceptance = new AwaitedAcceptance(options);
  }

  /** @returns the route in force afterwards: this one, or a newer one */
  async apply(
    route: Route,
    servers: readonly ServerAddress[],
    seen: SeenRoute,
    signal: AbortSignal,
  ): Promise<Route> {
    const { routes } = this.#options;
    const { state } = seen;
    if (state.generation > route.generation) return this.#acceptance.newer(route, seen);
    if (state.claimed > route.generation) throw overtaken(route, state.claimed);
    if (state.generation === route.generation && !isSame(route, seen))
      return this.#acceptance.newer(route, seen);
    const features = await this.#listed(signal);
    refuseImpossible(route, features);
    const services = await this.#servicesOf(route, servers, seen, signal);
    const before =
      state.generation === route.generation ? state.before : this.#inForce(route.endpoint_name, seen);
    const wanted: RouteState = {
      ...{ generation: route.generation, claimed: route.generation },
      ...{ weights: route.weights, mirror: route.mirror_deployment_id },
      ...{ services, before },
    };
    const timeout = features?.includes(FEATURES.timeout) === true ? `${this.#options.answerSeconds}s` : null;
    const rules = rulesWith(seen.route.spec.rules, wanted, {
      fallback: this.#options.fallback.name,
      services,
      timeout,
    });
    const figures = await this.#figuresWith(services, seen, signal);
    if (isUnanswered(route)) await this.#options.fallback.answering(this.#options.acknowledgement, signal);
    const written = await routes.write(seen, { rules, state: wanted, ...figures }, signal);
    if (written === null) return this.#again(route, servers, signal);
    return this.#acceptance.until(route, seen, written, signal);
  }

  async #again(route: Route, servers: readonly ServerAddress[], signal: AbortSignal): Promise<Route> {
    const name = route.endpoint_name;
    const seen = await this.#options.routes.get(name, signal);
    if (seen !== null) return this.apply(route, servers, seen, signal);
    throw deleted(name);
  }

  /** The Services of all deployments that the route names now or named before, by the addresses of their servers. */
  async #servicesOf(
    route: Route,
    servers: readonly ServerAddress[],
    { state }: SeenRoute,
    signal: AbortSignal,
  ): Promise<RouteState["services"]> {
    const { addresses } = await this.#options.servers.snapshot(signal);
    const named = new Set([
      ...[...Object.keys(route.weights), ...Object.keys(state.weights)],
      ...[route.mirror_deployment_id, state.mirror].filter((id) => id !== null),
    ]);
    const kept = Object.entries(state.services).filter(([id]) => named.has(id));
    const given = servers
      .filter(({ deployment_id }) => named.has(deployment_id))
      .map((server) => [server.deployment_id, serviceAt(server, addresses)] as const);
    const several = given.find(([id], index) => given.findIndex(([other]) => other === id) !== index);
    if (several !== undefined)
      throw refused(
        route,
        `deployment ${several[0]} has several servers, and a rule leads to one Service each`,
      );
    return { ...Object.fromEntries(kept), ...Object.fromEntries(given) };
  }

  /** Counts from before a server joined this endpoint are left out. */
  async #figuresWith(
    services: RouteState["services"],
    { route, state }: SeenRoute,
    signal: AbortSignal,
  ): Promise<{ figures?: string }> {
    const added = Object.entries(services).filter(([id]) => state.services[id] === undefined);
    if (added.length === 0) return {};
    const present = await this.#options.figures.present(Object.fromEntries(added), signal);
    const kept = readNotes(route.metadata.annotations[MARKS.figures] ?? "");
    const known = Object.entries(kept).filter(([id]) => services[id] !== undefined);
    const notes = notesFrom(present, `added/${route.metadata.resourceVersion}`);
    return { figures: JSON.stringify({ ...Object.fromEntries(known), ...notes }) };
  }

  /** The route that would be restored: the present one, unless no parent has accepted that either. */
  #inForce(endpointName: string, seen: SeenRoute): RouteState["before"] {
    const { route, state } = seen;
    if (acceptanceOf(route).is === "pending" && state.before !== null) return state.before;
    const said = routeIn(endpointName, this.#options.fallback.name, seen);
    const known = Object.entries(said.weights).filter(([id]) => state.services[id] !== undefined);
    const { generation, mirror_deployment_id: mirror } = said;
    return { generation, weights: Object.fromEntries(known), mirror };
  }

  async #listed(signal: AbortSignal): Promise<string[] | null> {
    const kept = this.#features;
    if (kept !== null && performance.now() - kept.at < FEATURES_MS) return kept.listed;
    const { client, gateway } = this.#options;
    const listed = await featuresOf(client, gateway, signal);
    this.#features = { at: performance.now(), listed };
    return listed;
  }
}

function isSame(route: Route, { state }: SeenRoute): boolean {
  const ids = [...Object.keys(route.weights), ...Object.keys(state.weights)];
  const isAlike = ids.every((id) => (route.weights[id] ?? 0) === (state.weights[id] ?? 0));
  return isAlike && route.mirror_deployment_id === state.mirror;
}

function serviceAt(server: ServerAddress, addresses: ReadonlyMap<string, { host: string }>): string {
  const found = [...addresses].find(([, { host }]) => host === server.host);
  if (found !== undefined) return found[0];
  throw new ServiceRefusedError(
    SERVICE,
    `no Service of this installation has the address ${server.host} of deployment ${server.deployment_id}: a gateway leads to servers of the same namespace only`,
  );
}

/** Something has to answer what is copied. */
function isUnanswered({ weights, mirror_deployment_id: mirror }: Route): boolean {
  return mirror !== null && Object.values(weights).every((weight) => weight === 0);
}

function refuseImpossible(route: Route, features: string[] | null): void {
  const { mirror_deployment_id: mirror } = route;
  if (mirror === null || features === null || features.includes(FEATURES.mirror)) return;
  throw refused(
    route,
    `the gateway's class does not list ${FEATURES.mirror}, so that ${mirror} would get no copies: use a class that does, or set MODEL_DEPLOYER_ROUTER=cluster`,
  );
}

function refused({ generation, endpoint_name }: Route, why: string): ServiceRefusedError {
  const message = `generation ${generation} of endpoint ${endpoint_name} is refused: ${why}`;
  return new ServiceRefusedError(SERVICE, message, { details: { endpoint_name, generation } });
}
