import type {
  EngineKind,
  InstalledEngines,
  RouterKind,
} from "../../agents/model_deployer/domain/servers/engines.ts";
import type { VersionFigures } from "../../agents/model_deployer/domain/evidence/figures.ts";
import type { Route } from "../../agents/model_deployer/domain/traffic/rollout.ts";
import type { CallOptions } from "../../agents/model_deployer/ports/call_options.ts";
import type { EndpointIngress } from "../../agents/model_deployer/ports/ingress_ports.ts";
import type { Endpoints } from "../../agents/model_deployer/ports/stores/entity_stores.ts";
import type {
  OpenOptions,
  ServerAddress,
  TrafficRouter,
} from "../../agents/model_deployer/ports/traffic_router_port.ts";
import { engineAway, RememberedEngines } from "./by_engine.ts";

/** Which router has an endpoint: the one at which it was opened, as the database has it, for its life. */
export class RoutersOfEndpoints {
  readonly #installed: InstalledEngines;
  readonly #remembered: RememberedEngines;

  constructor(installed: InstalledEngines, endpoints: Pick<Endpoints, "get">) {
    this.#installed = installed;
    this.#remembered = new RememberedEngines((name) => endpoints.get(name), installed.usual);
  }

  /** Null for one that was never open. @throws EngineRefusedError where its router's engine is not configured */
  async find(endpointName: string): Promise<RouterKind | null> {
    const engine = await this.#remembered.find(endpointName);
    return engine === null ? null : this.#routerOf(engine, endpointName);
  }

  /**
   * @param opensFor decides for an endpoint that was never open; the usual engine does unless given
   * @throws EngineRefusedError where its router's engine is not configured
   */
  async of(endpointName: string, opensFor: EngineKind = this.#installed.usual): Promise<RouterKind> {
    return this.#routerOf((await this.#remembered.find(endpointName)) ?? opensFor, endpointName);
  }

  #routerOf(engine: EngineKind, endpointName: string): RouterKind {
    const router = this.#installed.routers[engine];
    if (router !== undefined) return router;
    throw engineAway(`${endpointName} has its address at the router of`, engine, this.#installed);
  }
}

/** An Envoy beside the worker for some endpoints, and the cluster's router for others. */
export class RoutersOfEngines implements TrafficRouter {
  readonly #endpoints: RoutersOfEndpoints;
  readonly #beside: TrafficRouter;
  readonly #inCluster: TrafficRouter;

  constructor(endpoints: RoutersOfEndpoints, routers: { beside: TrafficRouter; inCluster: TrafficRouter }) {
    this.#endpoints = endpoints;
    this.#beside = routers.beside;
    this.#inCluster = routers.inCluster;
  }

  async open(endpointName: string, { engine, ...options }: OpenOptions): Promise<{ endpoint_url: string }> {
    return (await this.#of(endpointName, engine)).open(endpointName, options);
  }

  async apply(route: Route, servers: ServerAddress[], options: CallOptions): Promise<Route> {
    return (await this.#of(route.endpoint_name)).apply(route, servers, options);
  }

  async observe(endpointName: string, options: CallOptions): Promise<Route | null> {
    return (await this.#of(endpointName)).observe(endpointName, options);
  }

  async figures(endpointName: string, options: CallOptions): Promise<VersionFigures[]> {
    return (await this.#of(endpointName)).figures(endpointName, options);
  }

  async close(endpointName: string, options: CallOptions): Promise<void> {
    return (await this.#of(endpointName)).close(endpointName, options);
  }

  async #of(endpointName: string, opensFor?: EngineKind): Promise<TrafficRouter> {
    const router = await this.#endpoints.of(endpointName, opensFor);
    return router === "worker" ? this.#beside : this.#inCluster;
  }
}

/** Policies are enforced by Envoys beside the worker; an endpoint at another router lets everybody in. */
export class IngressOfEngines implements EndpointIngress {
  readonly #endpoints: RoutersOfEndpoints;
  readonly #beside: EndpointIngress;

  constructor(endpoints: RoutersOfEndpoints, beside: EndpointIngress) {
    this.#endpoints = endpoints;
    this.#beside = beside;
  }

  async guards(endpointName: string): Promise<boolean> {
    return ((await this.#endpoints.find(endpointName)) ?? "worker") === "worker";
  }

  async enforce(endpointName: string, options: CallOptions): Promise<number | null> {
    return (await this.guards(endpointName)) ? this.#beside.enforce(endpointName, options) : null;
  }

  async enforced(endpointName: string, options: CallOptions): Promise<number | null> {
    return (await this.guards(endpointName)) ? this.#beside.enforced(endpointName, options) : null;
  }
}
