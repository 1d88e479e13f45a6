import { setTimeout as delay } from "node:timers/promises";
import type { VersionFigures } from "../../../agents/model_deployer/domain/evidence/figures.ts";
import type { Route } from "../../../agents/model_deployer/domain/traffic/rollout.ts";
import { EndpointCreationError, ServiceUnavailableError } from "../../../agents/model_deployer/errors.ts";
import type { CallOptions } from "../../../agents/model_deployer/ports/call_options.ts";
import type {
  ServerAddress,
  TrafficRouter,
} from "../../../agents/model_deployer/ports/traffic_router_port.ts";
import { assertEndpointName, checkRoute } from "../../shared/route_check.ts";
import { SERVICE } from "../api/cluster_errors.ts";
import { MARKS } from "../server/object_names.ts";
import { EndpointRoutes, type EndpointRoutesOptions } from "./endpoint_routes.ts";
import { routeIn, type SeenRoute } from "./http_route.ts";
import { FallbackServer, type FallbackServerOptions } from "./fallback_server.ts";
import {
  figuresOf,
  nextNotes,
  notesFrom,
  PodFigures,
  type PodFiguresOptions,
  readNotes,
} from "./pod_figures.ts";
import { acceptanceOf } from "./route_acceptance.ts";
import { HttpRouteSwitch } from "./http_route_switch.ts";
import { givenUpAsTyped } from "../../shared/given_up_call.ts";

export interface GatewayRouterOptions
  extends EndpointRoutesOptions, PodFiguresOptions, FallbackServerOptions {
  /** Seconds that the gateway waits for a server's answer, where it can be told. */
  answerSeconds: number;
  /** How long a gateway's controller may take to accept a route, and how often it is asked. */
  acknowledgement?: { deadlineMs: number; pollMs: number };
}

const standardAcknowledgement = { deadlineMs: 60_000, pollMs: 500 };

/**
 * Somebody's gateway in front of the servers, told by an HTTPRoute for each endpoint. A route is in force when each
 * parent's controller has accepted it; when the gateway's proxies have it, no part of the Gateway API tells.
 */
export class GatewayRouter implements TrafficRouter {
  readonly #routes: EndpointRoutes;
  readonly #figures: PodFigures;
  readonly #switch: HttpRouteSwitch;
  readonly #fallback: FallbackServer;
  readonly #acknowledgement: { deadlineMs: number; pollMs: number };

  constructor(options: GatewayRouterOptions) {
    this.#routes = new EndpointRoutes(options);
    this.#figures = new PodFigures(options);
    this.#acknowledgement = options.acknowledgement ?? standardAcknowledgement;
    this.#fallback = new FallbackServer(options);
    this.#switch = new HttpRouteSwitch({
      ...options,
      routes: this.#routes,
      figures: this.#figures,
      fallback: this.#fallback,
      acknowledgement: this.#acknowledgement,
    });
  }

  async open(endpointName: string, { signal }: CallOptions): Promise<{ endpoint_url: string }> {
    assertEndpointName(endpointName);
    return typed(endpointName, signal, async () => {
      const { deadlineMs, pollMs } = this.#acknowledgement;
      let last = "the route was not seen";
      for (const began = performance.now(); performance.now() - began < deadlineMs;) {
        const seen = await this.#routes.get(endpointName, signal);
        if (seen === null) {
          await this.#fallback.address(signal);
          await this.#routes.make(endpointName, this.#fallback.name, signal);
          continue;
        }
        if (!this.#routes.isOpen(seen, endpointName)) {
          await this.#attach(endpointName, seen, signal);
          continue;
        }
        const acceptance = acceptanceOf(seen.route);
        // A server whose Service is gone keeps no endpoint closed: the others answer.
        if (acceptance.is === "accepted" || (acceptance.is === "refused" && acceptance.attached)) {
          return { endpoint_url: this.#routes.addressOf(endpointName) };
        }
        last = acceptance.is === "refused" ? acceptance.reason : acceptance.why;
        await delay(pollMs, undefined, { signal });
      }
      throw new EndpointCreationError(
        `no gateway serves endpoint ${endpointName} after ${deadlineMs / 1000} s: ${last}; \`model-deployer doctor --engine kubernetes\` looks at the gateway`,
        { details: { endpoint_name: endpointName, http_route: this.#routes.nameOf(endpointName) } },
      );
    });
  }

  async apply(route: Route, servers: ServerAddress[], { signal }: CallOptions): Promise<Route> {
    const name = route.endpoint_name;
    assertEndpointName(name);
    return typed(name, signal, async () => {
      const seen = await this.#routes.get(name, signal);
      checkRoute(SERVICE, route, servers, Object.keys(seen?.state.services ?? {}));
      if (seen === null || !this.#routes.isOpen(seen, name)) throw notOpen(name);
      return this.#switch.apply(route, servers, seen, signal);
    });
  }

  /** A change that a parent has not accepted yet has changed nothing. */
  async observe(endpointName: string, { signal }: CallOptions): Promise<Route | null> {
    assertEndpointName(endpointName);
    return typed(endpointName, signal, async () => {
      const seen = await this.#routes.look(endpointName, signal);
      if (seen === null || !this.#routes.isOpen(seen, endpointName)) return null;
      const acceptance = acceptanceOf(seen.route);
      if (acceptance.is === "refused" && !acceptance.attached) return null;
      if (acceptance.is !== "pending") return routeIn(endpointName, this.#fallback.name, seen);
      const { before } = seen.state;
      if (before === null) return null;
      const { generation, weights, mirror } = before;
      return { endpoint_name: endpointName, generation, weights, mirror_deployment_id: mirror };
    });
  }

  async figures(endpointName: string, { signal }: CallOptions): Promise<VersionFigures[]> {
    assertEndpointName(endpointName);
    return typed(endpointName, signal, async () => {
      for (;;) {
        const seen = await this.#routes.get(endpointName, signal);
        if (seen === null || !this.#routes.isOpen(seen, endpointName)) throw notOpen(endpointName);
        const present = await this.#figures.present(seen.state.services, signal);
        const kept = readNotes(seen.route.metadata.annotations[MARKS.figures] ?? "");
        const next = nextNotes(kept, present);
        if (next === null) return figuresOf(kept, present);
        await this.#routes.write(seen, { figures: JSON.stringify(next) }, signal);
      }
    });
  }

  /** No gateway serves the endpoint any more; its route stays, with all that others have added to it. */
  async close(endpointName: string, { signal }: CallOptions): Promise<void> {
    assertEndpointName(endpointName);
    await typed(endpointName, signal, async () => {
      for (;;) {
        const seen = await this.#routes.get(endpointName, signal);
        if (seen === null || seen.route.spec.parentRefs.length === 0) return;
        if ((await this.#routes.write(seen, { parentRefs: [] }, signal)) !== null) return;
      }
    });
  }

  /** The counts begin anew, as after each opening. */
  async #attach(endpointName: string, seen: SeenRoute, signal: AbortSignal): Promise<void> {
    const { parentRefs, hostnames } = seen.route.spec;
    const present = await this.#figures.present(seen.state.services, signal);
    const notes = notesFrom(present, `opened/${seen.route.metadata.resourceVersion}`);
    const own = this.#routes.parent();
    const others = parentRefs.filter(
      ({ name, namespace }) => name !== own.name || namespace !== own.namespace,
    );
    const hostname = this.#routes.hostnameOf(endpointName);
    const change = {
      parentRefs: [own, ...others],
      hostnames: hostnames.includes(hostname) ? hostnames : [hostname, ...hostnames],
      figures: JSON.stringify(notes),
    };
    await this.#routes.write(seen, change, signal);
  }
}

function notOpen(endpointName: string): ServiceUnavailableError {
  const message = `endpoint ${endpointName} is served by no gateway; open it first`;
  return new ServiceUnavailableError(SERVICE, message, { details: { endpoint_name: endpointName } });
}

const typed = <T>(endpointName: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> =>
  givenUpAsTyped({ service: SERVICE, call: `the gateway of ${endpointName}`, signal }, work);
