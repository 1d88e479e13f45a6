import { setTimeout as delay } from "node:timers/promises";
import type { Route } from "../../../agents/model_deployer/domain/traffic/rollout.ts";
import {
  ConflictError,
  ServiceRefusedError,
  ServiceUnavailableError,
} from "../../../agents/model_deployer/errors.ts";
import { SERVICE } from "../api/cluster_errors.ts";
import type { EndpointRoutes } from "./endpoint_routes.ts";
import type { FallbackServer } from "./fallback_server.ts";
import type { GatewayPlace } from "./gateway_features.ts";
import { routeIn, type RouteState, rulesWith, type SeenRoute } from "./http_route.ts";
import { acceptanceOf } from "./route_acceptance.ts";

export interface AcceptanceOptions {
  gateway: GatewayPlace;
  routes: EndpointRoutes;
  fallback: FallbackServer;
  acknowledgement: { deadlineMs: number; pollMs: number };
}

/** Waits until the gateway has accepted a route that was written; one that it refuses gives way to the former one. */
export class AwaitedAcceptance {
  readonly #options: AcceptanceOptions;

  constructor(options: AcceptanceOptions) {
    this.#options = options;
  }

  /** The route that is there already; it has to be in force to answer a caller. */
  newer(route: Route, seen: SeenRoute): Route {
    const acceptance = acceptanceOf(seen.route);
    if (acceptance.is !== "pending") return routeIn(route.endpoint_name, this.#options.fallback.name, seen);
    throw overtaken(route, seen.state.generation);
  }

  async until(route: Route, before: SeenRoute, written: SeenRoute, signal: AbortSignal): Promise<Route> {
    const { routes, acknowledgement, fallback } = this.#options;
    const name = route.endpoint_name;
    const excused = this.#refusedBefore(before);
    let last = "the route was not seen";
    for (const began = performance.now(); performance.now() - began < acknowledgement.deadlineMs;) {
      const seen = await routes.get(name, signal);
      if (seen === null) throw deleted(name);
      if (seen.state.claimed > route.generation) return this.newer(route, seen);
      const acceptance = acceptanceOf(seen.route, excused);
      if (acceptance.is === "accepted") return routeIn(name, fallback.name, seen);
      if (acceptance.is === "refused") {
        await this.#putBack(route, seen, signal);
        throw new ServiceRefusedError(
          SERVICE,
          `generation ${route.generation} of endpoint ${name} is refused by ${acceptance.reason}`,
          { details: { endpoint_name: name, generation: route.generation } },
        );
      }
      last = acceptance.why;
      await delay(acknowledgement.pollMs, undefined, { signal });
    }
    const waited = acknowledgement.deadlineMs / 1000;
    throw new ServiceUnavailableError(
      SERVICE,
      `generation ${route.generation} of endpoint ${name} was not accepted within ${waited} s: ${last}`,
      { details: { http_route: written.route.metadata.name } },
    );
  }

  /** Other parents that have refused the route as it was: their refusal says nothing about this one. */
  #refusedBefore({ route }: SeenRoute): string[] {
    const { namespace, name } = this.#options.gateway;
    const own = `${namespace}/${name}`;
    const earlier = acceptanceOf(route);
    const refused = earlier.is === "refused" ? earlier.by : [];
    return refused.filter((parent) => parent !== own && !parent.startsWith(`${own}/`));
  }

  /** The route that was in force, under the claim of the generation that was refused. */
  async #putBack(route: Route, refused: SeenRoute, signal: AbortSignal): Promise<void> {
    const { routes } = this.#options;
    for (let seen: SeenRoute | null = refused; seen !== null;) {
      const { state } = seen;
      const { before, services } = state;
      if (before === null || state.generation !== route.generation) return;
      const former: RouteState = { ...before, claimed: state.claimed, services, before: null };
      const fallback = this.#options.fallback.name;
      const rules = rulesWith(seen.route.spec.rules, before, { fallback, services, timeout: null });
      if ((await routes.write(seen, { rules, state: former }, signal)) !== null) return;
      seen = await routes.get(route.endpoint_name, signal);
    }
  }
}

export function deleted(endpointName: string): ServiceUnavailableError {
  return new ServiceUnavailableError(
    SERVICE,
    `somebody deleted the HTTPRoute of ${endpointName}; open it first`,
  );
}

export function overtaken({ generation, endpoint_name }: Route, newer: number): ConflictError {
  return new ConflictError(
    `generation ${generation} of endpoint ${endpoint_name} is stale: somebody has begun to apply generation ${newer}`,
    { details: { endpoint_name, generation, newer_generation: newer } },
  );
}
