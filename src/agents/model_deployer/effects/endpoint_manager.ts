import { AgentError } from "../../base/agent_error.ts";
import type { Endpoint, ShadowEvidence } from "../domain/entities.ts";
import type { LiveFigures } from "../judge/counts/live_figures.ts";
import type { StepOf } from "../domain/plan.ts";
import { serving } from "../domain/traffic/weights.ts";
import type { Route } from "../domain/traffic/rollout.ts";
import type { VersionFigures } from "../domain/evidence/figures.ts";
import type { Liveness } from "./remembered_misses.ts";
import { ConflictError, NotFoundError, ServiceUnavailableError } from "../errors.ts";
import type { Database, Parts } from "../ports/parts.ts";
import type { CallOptions } from "../ports/call_options.ts";
import type { ServerAddress, TrafficRouter } from "../ports/traffic_router_port.ts";
import { addressesOf } from "./server_addresses.ts";
import { LivingServers } from "./living_servers.ts";
import { OutcomeCollector } from "../collection/outcome_collector.ts";
import { RowKeeper } from "../collection/row_keeper.ts";
import { ShadowComparer } from "../collection/shadow_comparer.ts";

/**
 * How long a move waits for the router's figures: about as long as it takes to ask the server for its readiness
 * meanwhile.
 */
const LIVE_FIGURES_MS = 100;

/** Opens and closes endpoints, and brings the router to the route that the database wants. */
export class EndpointManager {
  readonly #router: TrafficRouter;
  readonly #database: Database;
  readonly #comparer: ShadowComparer;
  readonly outcomes: OutcomeCollector;
  readonly rows: RowKeeper;
  readonly servers: LivingServers;

  /** @param now a monotonic clock in milliseconds */
  constructor(
    parts: Pick<Parts, "router" | "server" | "database" | "predictionLogs" | "rowServers">,
    liveness: Liveness,
    now: () => number,
  ) {
    this.#router = parts.router;
    this.servers = new LivingServers(parts.server, liveness, now);
    this.#database = parts.database;
    this.#comparer = new ShadowComparer(parts);
    this.outcomes = new OutcomeCollector(parts);
    this.rows = new RowKeeper(parts);
  }

  async open(step: StepOf<"open_endpoint">, options: CallOptions): Promise<{ endpoint_url: string }> {
    const { endpoint_name, engine } = step;
    return this.#router.open(endpoint_name, { ...options, ...(engine !== undefined && { engine }) });
  }

  async close(step: StepOf<"close_endpoint">, options: CallOptions): Promise<Record<string, never>> {
    await this.#router.close(step.endpoint_name, options);
    return {};
  }

  /**
   * Applies the wanted route of exactly this generation. Every server whose share grows has to answer first, unless it
   * has a share already and only hangs, which waiting would not mend.
   * @throws ConflictError when the endpoint has moved on
   */
  async apply(step: StepOf<"apply_route">, options: CallOptions): Promise<{ generation: number }> {
    const endpoint = await this.#wanted(step);
    const applied = await this.#applyReopening(endpoint, await this.#addresses(endpoint, options), options);
    if (applied.generation !== step.generation) {
      throw new ConflictError(
        `The router of ${step.endpoint_name} is at generation ${applied.generation} and was asked for ${step.generation}.`,
        { details: { expected: step.generation, found: applied.generation } },
      );
    }
    return { generation: applied.generation };
  }

  /** Opens a listener that has died again, at the same address, and applies the route once more. */
  async #applyReopening(endpoint: Endpoint, servers: ServerAddress[], options: CallOptions): Promise<Route> {
    try {
      return await this.#router.apply(routeOf(endpoint), servers, options);
    } catch (error) {
      if (!(error instanceof ServiceUnavailableError) || options.signal.aborted) throw error;
      if ((await this.#router.observe(endpoint.endpoint_name, options)) !== null) throw error;
      await this.#router.open(endpoint.endpoint_name, options);
      return this.#router.apply(routeOf(endpoint), servers, options);
    }
  }

  async figures(endpointName: string, options: CallOptions): Promise<VersionFigures[]> {
    return this.#router.figures(endpointName, options);
  }

  /**
   * The router's present counts, or why it does not give them within a moment; an urgent move does not wait for them.
   */
  async liveFigures(endpointName: string, { signal }: CallOptions): Promise<LiveFigures> {
    try {
      const bounded = AbortSignal.any([signal, AbortSignal.timeout(LIVE_FIGURES_MS)]);
      return { figures: await this.#router.figures(endpointName, { signal: bounded }) };
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      return { missing: error.message };
    }
  }

  /**
   * Adds the router's counts and the servers' logged predictions of the endpoint's shadow since the last collection.
   */
  async collectShadowEvidence(endpoint: Endpoint, options: CallOptions): Promise<ShadowEvidence | null> {
    const shadow = endpoint.mirror_deployment_id;
    if (shadow === null) return null;
    const [collected, ...others] = await Promise.allSettled([
      this.#collectFigures(endpoint, shadow, options),
      this.#comparer.collect(endpoint, options),
      this.outcomes.ofShadow(endpoint, options),
    ]);
    if (collected.status === "rejected") throw collected.reason;
    for (const other of others) if (other.status === "rejected") throw other.reason;
    return collected.value;
  }

  async #collectFigures(
    { endpoint_name, weights }: Endpoint,
    shadow: string,
    options: CallOptions,
  ): Promise<ShadowEvidence | null> {
    const figures = await this.#router.figures(endpoint_name, options);
    const own = figures.find((entry) => entry.deployment_id === shadow);
    const production = figures.filter(({ deployment_id: id }) => (weights[id] ?? 0) > 0);
    return own === undefined
      ? this.#database.shadowEvidence.read(shadow)
      : this.#database.shadowEvidence.collect(shadow, own, production);
  }

  async #wanted(step: StepOf<"apply_route">): Promise<Endpoint> {
    const endpoint = await this.#database.endpoints.get(step.endpoint_name);
    if (endpoint === null) {
      throw new NotFoundError(`Endpoint ${step.endpoint_name} does not exist; a deployment opens it.`);
    }
    if (endpoint.generation !== step.generation) {
      throw new ConflictError(
        `${step.endpoint_name} has moved on to generation ${endpoint.generation}; generation ${step.generation} is no longer wanted.`,
        { details: { expected: step.generation, found: endpoint.generation } },
      );
    }
    return endpoint;
  }

  async #addresses(endpoint: Endpoint, options: CallOptions): Promise<ServerAddress[]> {
    const mirror = endpoint.mirror_deployment_id;
    const ids = [...serving(endpoint.weights), ...(mirror === null ? [] : [mirror])];
    const seen = await Promise.all(
      ids.map(async (id) => ({ id, observed: await this.servers.observeUnlessJustSeen(id, options) })),
    );
    const isAnyAway = seen.some(({ observed }) => observed.state !== "ready");
    const present = isAnyAway ? await this.#router.observe(endpoint.endpoint_name, options) : null;
    return seen.flatMap((server) => addressesOf(server, endpoint, present));
  }
}

function routeOf(endpoint: Endpoint): Route {
  const { endpoint_name, generation, weights, mirror_deployment_id } = endpoint;
  return { endpoint_name, generation, weights, mirror_deployment_id };
}
