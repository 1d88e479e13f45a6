import { isDeepStrictEqual } from "node:util";
import type { VersionFigures } from "../../agents/model_deployer/domain/evidence/figures.ts";
import type { Route } from "../../agents/model_deployer/domain/traffic/rollout.ts";
import { ServiceRefusedError, ServiceUnavailableError } from "../../agents/model_deployer/errors.ts";
import type { CallOptions } from "../../agents/model_deployer/ports/call_options.ts";
import type { ServerAddress, TrafficRouter } from "../../agents/model_deployer/ports/traffic_router_port.ts";
import { type Behaviour, growthOf, sumOf } from "./sent_traffic.ts";
import { assertEndpointName, checkRoute } from "../../mlops/shared/route_check.ts";

interface FakeEndpoint {
  url: string;
  listening: boolean;
  route: Route;
  servers: Map<string, ServerAddress[]>;
  epoch: number;
  figures: Map<string, VersionFigures>;
}

const service = "fake router";

/**
 * A traffic router in memory. It keeps and refuses what the real one keeps and refuses: addresses and the last route
 * outlive a closed or killed listener, counters do not; an older generation changes nothing; weights sum to 100.
 */
export class InMemoryTrafficRouter implements TrafficRouter {
  /** Every route that was put into force, oldest first. */
  readonly applied: Route[] = [];
  readonly #endpoints = new Map<string, FakeEndpoint>();
  #isDown = false;
  #nextRefusal: string | null = null;
  #strangersRefusal: string | null = null;

  // ---------------------------------------------------------------- the port

  async open(endpointName: string, { signal }: CallOptions): Promise<{ endpoint_url: string }> {
    assertEndpointName(endpointName);
    this.#assertUp(signal);
    const endpoint = this.#endpoints.get(endpointName) ?? this.#make(endpointName);
    if (!endpoint.listening) beginCounters(endpoint);
    endpoint.listening = true;
    return { endpoint_url: endpoint.url };
  }

  async apply(route: Route, servers: ServerAddress[], { signal }: CallOptions): Promise<Route> {
    const known = this.#endpoints.get(route.endpoint_name)?.servers.keys() ?? [];
    checkRoute(service, route, servers, [...known]);
    this.#assertUp(signal);
    const endpoint = this.#listening(route.endpoint_name);
    if (route.generation <= endpoint.route.generation) {
      if (isDeepStrictEqual(route, endpoint.route)) followMovedServers(endpoint, servers);
      return structuredClone(endpoint.route);
    }
    const isStrange = servers.some(({ deployment_id }) => !endpoint.servers.has(deployment_id));
    const refusal = this.#nextRefusal ?? (isStrange ? this.#strangersRefusal : null);
    this.#nextRefusal = null;
    if (refusal !== null) throw new ServiceRefusedError(service, refusal);
    followMovedServers(endpoint, servers);
    endpoint.route = structuredClone(route);
    this.applied.push(structuredClone(route));
    return structuredClone(route);
  }

  async observe(endpointName: string, { signal }: CallOptions): Promise<Route | null> {
    assertEndpointName(endpointName);
    this.#assertUp(signal);
    const endpoint = this.#endpoints.get(endpointName);
    return endpoint?.listening === true ? structuredClone(endpoint.route) : null;
  }

  async figures(endpointName: string, { signal }: CallOptions): Promise<VersionFigures[]> {
    assertEndpointName(endpointName);
    this.#assertUp(signal);
    const figures = [...this.#listening(endpointName).figures.values()];
    return structuredClone(figures.sort((a, b) => (a.deployment_id < b.deployment_id ? -1 : 1)));
  }

  async close(endpointName: string, { signal }: CallOptions): Promise<void> {
    assertEndpointName(endpointName);
    this.#assertUp(signal);
    const endpoint = this.#endpoints.get(endpointName);
    if (endpoint !== undefined) endpoint.listening = false;
  }

  // ---------------------------------------------------------------- what a test does to it

  /**
   * Sends so many requests: shared out by weight (the heaviest gets what division leaves), each also to the mirror.
   * Without weights the caller gets 503s, which count for no deployment.
   */
  sendTraffic(endpointName: string, requests: number, behaviours: Record<string, Behaviour> = {}): void {
    const { route } = this.#listening(endpointName);
    for (const growth of growthOf(route, requests, behaviours)) this.feed(endpointName, growth);
  }

  /** Adds to a deployment's counters as they are; its quantiles are replaced. */
  feed(endpointName: string, growth: Omit<VersionFigures, "epoch">): void {
    if (growth.requests === 0) return;
    const endpoint = this.#listening(endpointName);
    const before = endpoint.figures.get(growth.deployment_id);
    endpoint.figures.set(growth.deployment_id, {
      ...growth,
      epoch: `${endpointName}/${endpoint.epoch}`,
      requests: (before?.requests ?? 0) + growth.requests,
      errors: (before?.errors ?? 0) + growth.errors,
      client_errors: (before?.client_errors ?? 0) + (growth.client_errors ?? 0),
      latency_counts: sumOf(before?.latency_counts ?? [], growth.latency_counts ?? []),
    });
  }

  /** Ends the listener as a crash does: `open` brings it back, with counters that begin at zero. */
  kill(endpointName: string): void {
    this.#listening(endpointName).listening = false;
  }

  /** Makes every call fail until `up`. */
  down(): void {
    this.#isDown = true;
  }

  up(): void {
    this.#isDown = false;
  }

  /** The next route that would change something is rejected with this reason. */
  refuseNext(reason: string): void {
    this.#nextRefusal = reason;
  }

  /** Every route that names a deployment which had no traffic on its endpoint before is rejected with this reason. */
  refuseStrangers(reason: string): void {
    this.#strangersRefusal = reason;
  }

  /** Where the endpoint would send this deployment's requests. */
  serverOf(endpointName: string, deploymentId: string): ServerAddress | null {
    return this.serversOf(endpointName, deploymentId)[0] ?? null;
  }

  /** The same for a deployment with several servers. */
  serversOf(endpointName: string, deploymentId: string): ServerAddress[] {
    return this.#endpoints.get(endpointName)?.servers.get(deploymentId) ?? [];
  }

  /** The same endpoints, which go their own ways from here on. */
  copy(): InMemoryTrafficRouter {
    const copy = new InMemoryTrafficRouter();
    for (const [name, endpoint] of this.#endpoints) copy.#endpoints.set(name, structuredClone(endpoint));
    return copy;
  }

  // ---------------------------------------------------------------- inside

  #make(endpointName: string): FakeEndpoint {
    const endpoint = {
      url: `http://127.0.0.1:${20_000 + this.#endpoints.size}`,
      listening: false,
      route: { endpoint_name: endpointName, generation: 0, weights: {}, mirror_deployment_id: null },
      servers: new Map(),
      epoch: 0,
      figures: new Map(),
    };
    this.#endpoints.set(endpointName, endpoint);
    return endpoint;
  }

  #listening(endpointName: string): FakeEndpoint {
    const endpoint = this.#endpoints.get(endpointName);
    if (endpoint?.listening === true) return endpoint;
    throw new ServiceUnavailableError(service, `endpoint ${endpointName} has no listener; open it first`);
  }

  #assertUp(signal: AbortSignal): void {
    if (signal.aborted) {
      throw new ServiceUnavailableError(service, "the call was given up", { cause: signal.reason });
    }
    if (this.#isDown) throw new ServiceUnavailableError(service, "the router is down");
  }
}

function beginCounters(endpoint: FakeEndpoint): void {
  endpoint.epoch += 1;
  endpoint.figures.clear();
}

/** The addresses of the deployments that are named; the others keep theirs. */
function followMovedServers(endpoint: FakeEndpoint, servers: readonly ServerAddress[]): void {
  for (const id of new Set(servers.map(({ deployment_id }) => deployment_id))) {
    const own = servers.filter(({ deployment_id }) => deployment_id === id);
    endpoint.servers.set(
      id,
      own.map((server) => ({ ...server })),
    );
  }
}
