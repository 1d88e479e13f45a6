import { AgentError } from "../base/agent_error.ts";
import type { Deployment, Endpoint, ShadowEvidence } from "./domain/entities.ts";
import type { Life } from "./domain/liveness.ts";
import type { LiveFigures } from "./domain/live_figures.ts";
import type { StepOf } from "./domain/plan.ts";
import type { Route, VersionFigures } from "./domain/rollout.ts";
import { serving } from "./domain/weights.ts";
import type { Liveness } from "./liveness.ts";
import { ConflictError, NotFoundError, ServerNotReadyError, ServiceUnavailableError } from "./errors.ts";
import type { Database, Parts } from "./parts.ts";
import type { CallOptions, ModelServer, ServerAddress, ServerObservation, TrafficRouter } from "./ports.ts";
import { ShadowComparer } from "./shadow_comparer.ts";

/** A prediction answered so long ago counts as an answer now: a server may as well die right after it. */
const STILL_READY_MS = 250;

/** Whoever moves traffic does not wait longer for a server's word; nothing is ended for the lack of it. */
const OBSERVE_MS = 1000;

/** No longer than a server takes to answer that it is ready, which is asked meanwhile. */
const LIVE_FIGURES_MS = 100;

/** Opens and closes endpoints, and brings the router to the route that the database wants. */
export class EndpointManager {
  readonly #router: TrafficRouter;
  readonly #server: ModelServer;
  readonly #database: Database;
  readonly #comparer: ShadowComparer;
  readonly #ready = new Map<string, { observed: ServerObservation; at: number }>();

  readonly #liveness: Liveness;

  constructor(parts: Pick<Parts, "router" | "server" | "database" | "predictionLogs">, liveness: Liveness) {
    this.#liveness = liveness;
    this.#router = parts.router;
    this.#server = parts.server;
    this.#database = parts.database;
    this.#comparer = new ShadowComparer(parts);
  }

  async open(step: StepOf<"open_endpoint">, options: CallOptions): Promise<{ endpoint_url: string }> {
    return this.#router.open(step.endpoint_name, options);
  }

  async close(step: StepOf<"close_endpoint">, options: CallOptions): Promise<Record<string, never>> {
    await this.#router.close(step.endpoint_name, options);
    return {};
  }

  /**
   * Applies the wanted route of exactly this generation; every server on it answers first.
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

  /** A listener that has died is opened again, at the same address, and asked once more. */
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

  /** What the router has counted by now, or why it does not say so within a moment: for moves that wait for nothing. */
  async liveFigures(endpointName: string, { signal }: CallOptions): Promise<LiveFigures> {
    try {
      const bounded = AbortSignal.any([signal, AbortSignal.timeout(LIVE_FIGURES_MS)]);
      return { figures: await this.#router.figures(endpointName, { signal: bounded }) };
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      return { missing: error.message };
    }
  }

  /** Adds what the router has counted, and the servers have logged, for the endpoint's shadow since the last time. */
  async collectShadowEvidence(endpoint: Endpoint, options: CallOptions): Promise<ShadowEvidence | null> {
    const shadow = endpoint.mirror_deployment_id;
    if (shadow === null) return null;
    const [collected, compared] = await Promise.allSettled([
      this.#collectFigures(endpoint.endpoint_name, shadow, options),
      this.#comparer.collect(endpoint, options),
    ]);
    if (collected.status === "rejected") throw collected.reason;
    if (compared.status === "rejected") throw compared.reason;
    return collected.value;
  }

  async #collectFigures(
    endpointName: string,
    shadow: string,
    options: CallOptions,
  ): Promise<ShadowEvidence | null> {
    const figures = await this.#router.figures(endpointName, options);
    const own = figures.find((entry) => entry.deployment_id === shadow);
    return own === undefined
      ? this.#database.shadowEvidence.read(shadow)
      : this.#database.shadowEvidence.collect(shadow, own);
  }

  async isReady(deploymentId: string, bentoTag: string, options: CallOptions): Promise<boolean> {
    const observed = await this.#observe(deploymentId, options);
    return observed.state === "ready" && observed.bento_tag === bentoTag;
  }

  /** @param hasAnswered its callers got answers since it was asked last, which counts as life */
  async lifeOf(
    deployment: Deployment,
    { now, hasAnswered }: { now: string; hasAnswered: boolean },
    options: CallOptions,
  ): Promise<Life> {
    const observed = await this.#server.observe(deployment.deployment_id, options);
    if (observed.state === "unresponsive" && hasAnswered) {
      this.#liveness.answered(deployment.deployment_id);
      return { life: "alive" };
    }
    return this.#liveness.judge(deployment, observed, () => Promise.resolve(now));
  }

  /** The endpoint as a plan should see it: a shadow that has died is no part of its route, and never holds up production. */
  async withLivingMirror(endpoint: Endpoint, options: CallOptions): Promise<Endpoint> {
    const mirror = endpoint.mirror_deployment_id;
    if (mirror === null) return endpoint;
    const observed = await this.#observe(mirror, options);
    return observed.state === "ready" ? endpoint : { ...endpoint, mirror_deployment_id: null };
  }

  async #observe(deploymentId: string, options: CallOptions): Promise<ServerObservation> {
    const observed = await this.#server.observe(deploymentId, { ...options, patience_ms: OBSERVE_MS });
    if (observed.state === "ready") this.#ready.set(deploymentId, { observed, at: performance.now() });
    else this.#ready.delete(deploymentId);
    return observed;
  }

  /** What was seen when the plan was made still holds an instant later, when its route is applied. */
  async #observeUnlessJustSeen(deploymentId: string, options: CallOptions): Promise<ServerObservation> {
    const seen = this.#ready.get(deploymentId);
    this.#ready.delete(deploymentId);
    if (seen !== undefined && performance.now() - seen.at < STILL_READY_MS) return seen.observed;
    return this.#server.observe(deploymentId, { ...options, patience_ms: OBSERVE_MS });
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
    return Promise.all(
      ids.map(async (deployment_id) => {
        const observed = await this.#observeUnlessJustSeen(deployment_id, options);
        if (observed.state === "ready") return { deployment_id, host: observed.host, port: observed.port };
        throw notReady(deployment_id, observed);
      }),
    );
  }
}

/** One whose process runs may be waited for; one that is gone will not come back by itself. */
function notReady(deploymentId: string, observed: Exclude<ServerObservation, { state: "ready" }>) {
  const why = "reason" in observed ? `${observed.state}: ${observed.reason}` : observed.state;
  const message = `The server of ${deploymentId} is ${why}, so no traffic may go to it`;
  return observed.state === "starting" || observed.state === "unresponsive"
    ? new ServiceUnavailableError("model server", `${message} yet.`)
    : new ServerNotReadyError(`${message}; deploy or roll back to one that answers.`);
}

function routeOf(endpoint: Endpoint): Route {
  const { endpoint_name, generation, weights, mirror_deployment_id } = endpoint;
  return { endpoint_name, generation, weights, mirror_deployment_id };
}
