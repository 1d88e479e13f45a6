import { AgentError } from "../../../agents/base/agent_error.ts";
import { noAnswer } from "../../../agents/base/deadline.ts";
import { EndpointCreationError, ServiceUnavailableError } from "../../../agents/model_deployer/errors.ts";
import type { CallOptions, LongCallOptions } from "../../../agents/model_deployer/ports/call_options.ts";
import {
  LIVENESS_TIMEOUT_MS,
  type ModelServer,
  type ObserveOptions,
  type SampleOutcome,
  type SamplePredictions,
  type ServerObservation,
  type StartedServer,
  type StartServer,
  type StopOptions,
} from "../../../agents/model_deployer/ports/model_server_port.ts";
import type { ClusterClient } from "../api/cluster_client.ts";
import { SERVICE } from "../api/cluster_errors.ts";
import { AwaitedPods, type ProbedServers } from "./awaited_pods.ts";
import { ClusterServers } from "./cluster_servers.ts";
import type { ServerView } from "./observed_objects.ts";
import { assertServedId } from "../../replicas/server_names.ts";
import { PREDICTIONS_CONTAINER, type ServerSettings } from "./server_pod.ts";
import { DelayedStop } from "./delayed_stop.ts";
import { ServerStarts } from "./server_starts.ts";

/** Images that serve bentos. */
export interface ServedImages {
  /**
   * The image of this bento by its digest, `host/path@sha256:...`; made and pushed where it is missing.
   * @throws EndpointCreationError where there is no such bento, or it is not the files that it was built from
   */
  publish(bentoTag: string, options: LongCallOptions): Promise<string>;
}

export interface KubernetesServerOptions extends ProbedServers {
  client: ClusterClient;
  namespace: string;
  settings: ServerSettings;
  images: ServedImages;
  /** How long one list of the cluster's servers answers all looks. */
  freshMs?: number;
  pollMs?: number;
  /** The time in milliseconds since 1970. */
  now?: () => number;
}

/**
 * Serves bentos as Deployments of a cluster, one for each server, which is made once and never written again: what
 * scales it keeps its say. Whom a server belongs to, and which one a deployment has now, stands in its marks.
 */
export class KubernetesServer implements ModelServer, SamplePredictions {
  readonly #servers: ClusterServers;
  readonly #awaited: AwaitedPods;
  readonly #images: ServedImages;
  readonly #starts: ServerStarts;
  readonly #stops: DelayedStop;

  constructor({ client, namespace, settings, images, freshMs, ...options }: KubernetesServerOptions) {
    this.#servers = new ClusterServers(client, namespace, settings, freshMs);
    const { startSeconds } = settings;
    const { pollMs } = options;
    this.#awaited = new AwaitedPods(this.#servers, client, options, {
      startSeconds,
      ...(pollMs !== undefined && { pollMs }),
    });
    this.#images = images;
    const { now = Date.now } = options;
    this.#stops = new DelayedStop(this.#servers, settings.drainDelaySeconds, now);
    this.#starts = new ServerStarts(this.#servers, this.#awaited, settings);
  }

  /** When `signal` aborts, the server is left to go on starting: the same call again adopts it, `stop` ends it. */
  async start(input: StartServer, options: CallOptions): Promise<StartedServer> {
    assertServedId(input.deployment_id);
    const address = await this.#typed(input.deployment_id, options.signal, async () => {
      const image = await this.#images.publish(input.bento_tag, options);
      const own = await this.#servers.ofDeployment(input.deployment_id, options.signal);
      const installed = own.filter((server) => server.installed);
      const present = installed.at(-1);
      if (present !== undefined && present.bento_tag !== input.bento_tag) {
        const { deployment_id, bento_tag } = input;
        throw new EndpointCreationError(
          `deployment ${deployment_id} already serves ${present.bento_tag}, not ${bento_tag}: stop it first`,
        );
      }
      if (present === undefined) return this.#starts.startNew({ input, image, own }, options.signal);
      const isBeside = input.beside === true && installed.length === 1;
      return isBeside
        ? this.#starts.startBeside({ input, image, own, present }, options.signal)
        : this.#starts.adopt(input, present, options.signal);
    });
    return { ...address, isolation: "pod" };
  }

  async stop(deploymentId: string, { signal, only_former = false }: StopOptions): Promise<void> {
    assertServedId(deploymentId);
    await this.#typed(deploymentId, signal, async () => {
      this.#servers.forget();
      const own = await this.#servers.ofDeployment(deploymentId, signal);
      const present = own.findLast((server) => server.installed);
      const ended = only_former
        ? own.filter((server) => present !== undefined && server.ordinal < present.ordinal)
        : own;
      await Promise.all(ended.map((server) => this.#stops.end(server, signal)));
    });
  }

  async observe(
    deploymentId: string,
    { signal, patience_ms = LIVENESS_TIMEOUT_MS }: ObserveOptions,
  ): Promise<ServerObservation> {
    assertServedId(deploymentId);
    return this.#typed(deploymentId, signal, async () => {
      const { pods, addresses } = await this.#servers.snapshot(signal);
      const installed = await this.#installedOf(deploymentId, signal);
      const server = installed.at(-1);
      if (server === undefined) return { state: "absent" };
      const { name } = server.deployment.metadata;
      const bounded = AbortSignal.any([signal, AbortSignal.timeout(patience_ms)]);
      const seen = await this.#awaited.look(server, pods.get(name) ?? [], bounded);
      if (seen.condition === "failed") {
        return { state: "failed", reason: await this.#awaited.explained(seen, signal) };
      }
      if (seen.condition === "starting") return { state: "starting" };
      const address = addresses.get(name);
      if (address === undefined)
        return { state: "failed", reason: `its Service ${name} is gone; a start makes it again` };
      if (seen.condition === "unresponsive") {
        return { state: "unresponsive", ...address, reason: seen.reason };
      }
      const replaced = installed.length > 1;
      const { bento_tag } = server;
      return { state: "ready", ...address, bento_tag, ...(replaced && { replaced }) };
    });
  }

  async trySample(deploymentId: string, { signal }: CallOptions): Promise<SampleOutcome> {
    return this.#typed(deploymentId, signal, async () => {
      const { pods } = await this.#servers.snapshot(signal);
      const server = (await this.#installedOf(deploymentId, signal)).at(-1);
      if (server === undefined) return { sample: "none" };
      return this.#awaited.sample(server, pods.get(server.deployment.metadata.name) ?? [], signal);
    });
  }

  async handOver(...[from, to, { signal }]: Parameters<ModelServer["handOver"]>): Promise<boolean> {
    assertServedId(from);
    assertServedId(to.deployment_id);
    return this.#typed(from, signal, async () => {
      for (;;) {
        this.#servers.forget();
        const server = (await this.#installedOf(from, signal)).at(-1);
        const others = await this.#servers.ofDeployment(to.deployment_id, signal);
        if (server?.bento_tag !== to.bento_tag || others.length > 0) return false;
        const { deployment_id } = to;
        if (await this.#servers.mark(server, { deployment_id }, signal)) return true;
      }
    });
  }

  async list(): Promise<string[]> {
    this.#servers.forget();
    const { servers } = await this.#servers.snapshot(AbortSignal.timeout(LIVENESS_TIMEOUT_MS));
    return [...new Set(servers.map((server) => server.deployment_id))].sort();
  }

  /** Pods of all servers that the deployment has, former ones too. */
  async predictionPods(deploymentId: string, signal: AbortSignal): Promise<{ name: string; uid: string }[]> {
    return this.#typed(deploymentId, signal, async () => {
      const { pods } = await this.#servers.snapshot(signal);
      const own = await this.#servers.ofDeployment(deploymentId, signal);
      return own
        .flatMap(({ deployment }) => pods.get(deployment.metadata.name) ?? [])
        .map(({ metadata: { name, uid } }) => ({ name, uid }));
    });
  }

  /** Lines of a pod's prediction log, each behind its time. */
  async predictionLines(
    deploymentId: string,
    pod: string,
    part: Record<string, string>,
    signal: AbortSignal,
  ): Promise<string> {
    return this.#typed(deploymentId, signal, () =>
      this.#servers.lines(pod, PREDICTIONS_CONTAINER, part, signal),
    );
  }

  async #installedOf(deploymentId: string, signal: AbortSignal): Promise<ServerView[]> {
    const own = await this.#servers.ofDeployment(deploymentId, signal);
    return own.filter((server) => server.installed);
  }

  async #typed<T>(deploymentId: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    try {
      signal.throwIfAborted();
      return await work();
    } catch (error) {
      if (error instanceof AgentError || !signal.aborted) throw error;
      const message = `the server of ${deploymentId} gave ${noAnswer(signal, LIVENESS_TIMEOUT_MS)}`;
      throw new ServiceUnavailableError(SERVICE, message, { cause: error });
    }
  }
}
