import { setTimeout as delay } from "node:timers/promises";
import {
  LIVENESS_TIMEOUT_MS,
  type SampleOutcome,
} from "../../../agents/model_deployer/ports/model_server_port.ts";
import type { BentoProbe } from "../../shared/bento_probe.ts";
import type { ClusterClient } from "../api/cluster_client.ts";
import type { ClusterServers } from "./cluster_servers.ts";
import type { ObservedPod, ServerView } from "./observed_objects.ts";
import { conditionOf, type ServerCondition } from "./pod_reasons.ts";
import { SERVED_PORT, SERVER_CONTAINER } from "./server_pod.ts";

/** One question to the server in a pod. */
export interface PodQuestion {
  path: string;
  headers: Record<string, string>;
  body?: string;
  signal: AbortSignal;
}

export interface ProbedServers {
  /** Makes a probe that asks by this function. */
  probeBy(ask: (question: PodQuestion) => Promise<{ status: number; body: string }>): BentoProbe;
  /** The last line of a log that names an error; null where none does. */
  errorIn(log: string): string | null;
}

export type PodsOutcome = { state: "ready" } | { state: "failed"; reason: string };

const PROBE_MS = 5_000;

/** Waits for a server's pods, and asks them who they are. */
export class AwaitedPods {
  readonly #servers: ClusterServers;
  readonly #client: ClusterClient;
  readonly #probed: ProbedServers;
  readonly #startSeconds: number;
  readonly #pollMs: number;
  /** Pods that have named their bento: an image by digest does not change under a pod. */
  readonly #known = new Map<string, string>();

  constructor(
    servers: ClusterServers,
    client: ClusterClient,
    probed: ProbedServers,
    { startSeconds, pollMs = 500 }: { startSeconds: number; pollMs?: number },
  ) {
    this.#servers = servers;
    this.#client = client;
    this.#probed = probed;
    this.#startSeconds = startSeconds;
    this.#pollMs = pollMs;
  }

  async untilReady(server: ServerView, servedBefore: boolean, signal: AbortSignal): Promise<PodsOutcome> {
    const deadline = performance.now() + this.#startSeconds * 1000;
    const { name, uid } = server.deployment.metadata;
    let last = "nothing was seen of it";
    while (performance.now() < deadline) {
      this.#servers.forget();
      const { servers, pods } = await this.#servers.snapshot(signal);
      const view = servers.find(({ deployment }) => deployment.metadata.uid === uid);
      if (view === undefined) return { state: "failed", reason: `somebody deleted its Deployment ${name}` };
      const own = pods.get(name) ?? [];
      const seen = await this.#conditionOf(view, own, view.deployment.spec.replicas, signal);
      if (seen.condition === "failed") return { state: "failed", reason: await this.explained(seen, signal) };
      if (seen.condition === "available")
        return servedBefore ? { state: "ready" } : this.#trySample(view, own, signal);
      last = seen.reason;
      await delay(this.#pollMs, undefined, { signal });
    }
    const limit = `MODEL_DEPLOYER_START_SECONDS=${this.#startSeconds}`;
    const reason = `not ready within ${limit}: ${last}; raise it if pulling the image or loading the model takes longer`;
    return { state: "failed", reason };
  }

  /** One available pod suffices, and each available one has to serve the tag. */
  async look(
    server: ServerView,
    pods: readonly ObservedPod[],
    signal: AbortSignal,
  ): Promise<ServerCondition> {
    return this.#conditionOf(server, pods, 1, signal);
  }

  async sample(
    server: ServerView,
    pods: readonly ObservedPod[],
    signal: AbortSignal,
  ): Promise<SampleOutcome> {
    const pod = pods.find(isReady);
    if (pod === undefined) return { sample: "none" };
    return this.#probeOf(pod).sample(expectedOf(server), signal);
  }

  /** A failure's reason, with what the container's log says. */
  async explained(
    { reason, crashed }: { reason: string; crashed: string | null },
    signal: AbortSignal,
  ): Promise<string> {
    if (crashed === null) return reason;
    const error = this.#probed.errorIn(await this.#servers.log(crashed, SERVER_CONTAINER, signal));
    return error === null ? `${reason}: its log names no error` : `${reason}: ${error}`;
  }

  async #conditionOf(
    server: ServerView,
    pods: readonly ObservedPod[],
    needed: number,
    signal: AbortSignal,
  ): Promise<ServerCondition> {
    const seen = conditionOf(server, pods, Math.max(1, needed));
    if (seen.condition !== "available") return seen;
    for (const pod of pods.filter(isReady)) {
      if (this.#known.get(pod.metadata.uid) === server.bento_tag) continue;
      const bounded = AbortSignal.any([signal, AbortSignal.timeout(PROBE_MS)]);
      const said = await this.#probeOf(pod).health(expectedOf(server), bounded);
      if (said.health === "foreign") return { condition: "failed", reason: said.reason, crashed: null };
      if (said.health !== "ready")
        return { condition: "starting", reason: `pod ${pod.metadata.name}: ${said.reason}` };
      this.#known.set(pod.metadata.uid, server.bento_tag);
    }
    return seen;
  }

  async #trySample(
    server: ServerView,
    pods: readonly ObservedPod[],
    signal: AbortSignal,
  ): Promise<PodsOutcome> {
    const bounded = AbortSignal.any([signal, AbortSignal.timeout(LIVENESS_TIMEOUT_MS)]);
    const outcome = await this.sample(server, pods, bounded);
    signal.throwIfAborted();
    return outcome.sample === "failed" ? { state: "failed", reason: outcome.reason } : { state: "ready" };
  }

  #probeOf({ metadata }: ObservedPod): BentoProbe {
    const base = `${this.#servers.podPath(metadata.name)}:${SERVED_PORT}/proxy`;
    return this.#probed.probeBy(async ({ path, headers, body, signal }) =>
      this.#client.ask(
        {
          method: body === undefined ? "GET" : "POST",
          path: `${base}${path}`,
          headers,
          ...(body !== undefined && { text: body }),
        },
        signal,
      ),
    );
  }
}

function expectedOf({ process, bento_tag }: ServerView) {
  return { process, bento_tag, port: SERVED_PORT };
}

function isReady({ status }: ObservedPod): boolean {
  return status.containerStatuses.some(({ name, ready }) => name === SERVER_CONTAINER && ready);
}
