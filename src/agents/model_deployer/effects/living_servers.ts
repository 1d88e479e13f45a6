import { AgentError } from "../../base/agent_error.ts";
import { publishDegraded } from "../../base/diagnostics.ts";
import type { Deployment, Endpoint } from "../domain/entities.ts";
import type { Life } from "../domain/servers/liveness.ts";
import type { ServerPresence } from "../planning/ways_out/way_back.ts";
import type { CallOptions } from "../ports/call_options.ts";
import type {
  ModelServer,
  ObserveOptions,
  ReadyServers,
  ServerObservation,
} from "../ports/model_server_port.ts";
import type { Liveness } from "./remembered_misses.ts";

/** An answer this recent counts as an answer now: a server may as well die right after a new one. */
const STILL_READY_MS = 250;

/** How long a move of traffic waits for a server's answer; a late answer stops no server. */
const OBSERVE_MS = 1000;

/** Of a server whose engine gives no answer; the server itself may serve well. */
export interface Unasked {
  state: "unasked";
  error: AgentError;
}

/** Whether servers answer, as plans and moves of traffic need to know it. */
export class LivingServers {
  readonly #server: ModelServer;
  readonly #liveness: Liveness;
  readonly #now: () => number;
  readonly #ready = new Map<string, { observed: ServerObservation; at: number }>();

  /** @param now a monotonic clock in milliseconds */
  constructor(server: ModelServer, liveness: Liveness, now: () => number) {
    this.#server = server;
    this.#liveness = liveness;
    this.#now = now;
  }

  /** Null where none of its servers answers for this bento. */
  async readyServers(id: string, bentoTag: string, options: ObserveOptions): Promise<ReadyServers | null> {
    const observed = await this.#observe(id, options);
    return observed.state === "ready" && observed.bento_tag === bentoTag ? observed : null;
  }

  /**
   * Whether the deployment's server answers, hangs, or has to be started. One that has a share of the traffic counts as
   * hanging where its engine cannot be asked, since waiting for the engine would help no caller.
   */
  async presenceOf(
    deploymentId: string,
    bentoTag: string,
    { hasTraffic, ...options }: CallOptions & { hasTraffic: boolean },
  ): Promise<ServerPresence> {
    const observed = await unlessUnasked(this.#observe(deploymentId, options), options);
    if (observed.state === "unasked") {
      if (hasTraffic) return "unresponsive";
      throw observed.error;
    }
    if (observed.state === "ready" && observed.bento_tag === bentoTag) return "ready";
    return observed.state === "unresponsive" ? "unresponsive" : "away";
  }

  /**
   * A server whose engine cannot be asked counts as `missed`: it may serve well, and its callers' answers are judged all
   * the same.
   * @param hasAnswered whether its callers got answers since the last look, which counts as life
   */
  async lifeOf(
    deployment: Deployment,
    { now, hasAnswered }: { now: string; hasAnswered: boolean },
    options: CallOptions,
  ): Promise<{ life: Life; hangs: boolean }> {
    const { deployment_id } = deployment;
    // A look reads the way back just before it judges whether that server is alive; both use the same answer.
    const observed =
      this.#justSeen(deployment_id) ??
      (await unlessUnasked(this.#server.observe(deployment_id, options), options));
    if (observed.state === "unasked") {
      const why = `it cannot be asked: ${observed.error.message}`;
      return { life: { life: "missed", why }, hangs: false };
    }
    const hangs =
      observed.state === "ready" ? (observed.predictions?.hung ?? 0) > 0 : observed.state === "unresponsive";
    if (observed.state === "unresponsive" && hasAnswered) {
      this.#liveness.answered(deployment_id);
      return { life: { life: "alive" }, hangs };
    }
    const life = await this.#liveness.judge(deployment, observed, () => Promise.resolve(now));
    return { life, hangs };
  }

  /**
   * The endpoint for a plan, without a dead shadow, which must not hold up production; nor may one whose engine cannot be
   * asked. A shadow that misses a probe stays until it has missed as many as its stage's liveness requires.
   */
  async withLivingMirror(endpoint: Endpoint, options: CallOptions): Promise<Endpoint> {
    const mirror = endpoint.mirror_deployment_id;
    if (mirror === null) return endpoint;
    const isAlive = await this.#isLivingShadow(mirror, options);
    return isAlive ? endpoint : { ...endpoint, mirror_deployment_id: null };
  }

  async #isLivingShadow(mirror: string, options: CallOptions): Promise<boolean> {
    const observed = await unlessUnasked(this.#observe(mirror, options), options);
    if (observed.state === "unasked") {
      const message = `the shadow ${mirror} cannot be asked: ${observed.error.message}`;
      publishDegraded({ part: "server", message });
      return false;
    }
    const { state } = observed;
    return state === "ready" || (state === "unresponsive" && !this.#liveness.isSilent(mirror, "shadow"));
  }

  async #observe(deploymentId: string, options: ObserveOptions): Promise<ServerObservation> {
    const observed = await this.#server.observe(deploymentId, { ...options, patience_ms: OBSERVE_MS });
    if (observed.state === "ready") this.#ready.set(deploymentId, { observed, at: this.#now() });
    else this.#ready.delete(deploymentId);
    return observed;
  }

  /** An observation from the plan still counts an instant later, when its route is applied. */
  async observeUnlessJustSeen(
    deploymentId: string,
    options: CallOptions,
  ): Promise<ServerObservation | Unasked> {
    const seen = this.#justSeen(deploymentId);
    this.#ready.delete(deploymentId);
    if (seen !== null) return seen;
    const asked = this.#server.observe(deploymentId, { ...options, patience_ms: OBSERVE_MS });
    return unlessUnasked(asked, options);
  }

  #justSeen(deploymentId: string): ServerObservation | null {
    const seen = this.#ready.get(deploymentId);
    return seen !== undefined && this.#now() - seen.at < STILL_READY_MS ? seen.observed : null;
  }
}

async function unlessUnasked(
  observing: Promise<ServerObservation>,
  { signal }: CallOptions,
): Promise<ServerObservation | Unasked> {
  try {
    return await observing;
  } catch (error) {
    if (!(error instanceof AgentError) || signal.aborted) throw error;
    return { state: "unasked", error };
  }
}
