import { untilAborted } from "../../../agents/base/deadline.ts";
import { ServiceUnavailableError } from "../../../agents/model_deployer/errors.ts";
import type { ClusterClient } from "../api/cluster_client.ts";
import { SERVICE } from "../api/cluster_errors.ts";
import { type ObservedPod, podSchema } from "../server/observed_objects.ts";
import { MANAGER, MARKS } from "../server/object_names.ts";
import { ENVOY_CONTAINER, ROUTER, ROUTER_PORTS } from "./router_objects.ts";

export interface EnvoyPodsOptions {
  client: ClusterClient;
  namespace: string;
  /**
   * Asks a pod at its own address, where this process is in the pods' network; without it the API server passes the
   * questions on.
   */
  askPod?: (host: string, port: number, path: string, signal: AbortSignal) => Promise<string>;
  /** How long one list of the routers' pods answers all looks. */
  freshMs?: number;
}

/** The pods of all endpoints' routers, which share one list, and what their Envoys say. */
export class EnvoyPods {
  readonly #options: EnvoyPodsOptions;
  readonly #client: ClusterClient;
  readonly #path: string;
  readonly #installation: string;
  #kept: { at: number; pods: Promise<Map<string, ObservedPod[]>> } | null = null;

  constructor(options: EnvoyPodsOptions, installation: string) {
    this.#options = options;
    this.#client = options.client;
    this.#path = `/api/v1/namespaces/${options.namespace}/pods`;
    this.#installation = installation;
  }

  /** Those of an endpoint's Deployment that are not being deleted. */
  async of(name: string, signal: AbortSignal): Promise<ObservedPod[]> {
    return (await this.#all(signal)).get(name) ?? [];
  }

  /** The next look asks anew. */
  forget(): void {
    this.#kept = null;
  }

  /** A change of a pod has its node hand it the files at once; a pod that is gone by now needs none. */
  async tell(name: string, version: string, signal: AbortSignal): Promise<void> {
    this.forget();
    const annotations = { [MARKS.told]: version };
    const pods = await this.of(name, signal);
    await Promise.all(
      pods.map(({ metadata }) =>
        this.#client.annotate(`${this.#path}/${metadata.name}`, annotations, signal),
      ),
    );
  }

  async ask(pod: ObservedPod, path: string, signal: AbortSignal): Promise<string> {
    const { askPod } = this.#options;
    const { podIP } = pod.status;
    if (askPod !== undefined && podIP !== "") return askPod(podIP, ROUTER_PORTS.readings, path, signal);
    const [plain = "", query] = path.split("?");
    const through = `${this.#path}/${pod.metadata.name}:${ROUTER_PORTS.readings}/proxy${plain}`;
    const call = { method: "GET", path: query === undefined ? through : `${through}?${query}` } as const;
    const answer = await this.#client.ask(call, signal).catch((cause: unknown) => {
      throw silent(pod, path, "it cannot be reached through the API server", cause);
    });
    if (answer.status === 200) return answer.body;
    throw silent(pod, path, `the answer was ${answer.status}: ${answer.body.slice(0, 200)}`);
  }

  async lastLine(pod: ObservedPod, signal: AbortSignal): Promise<string> {
    const path = `${this.#path}/${pod.metadata.name}/log`;
    const query = { container: ENVOY_CONTAINER, tailLines: "1" };
    const answer = await this.#client.call({ method: "GET", path, query }, signal, [400, 404]);
    return answer.status === 200 ? answer.body.trim().replace(/^(\[[^\]]*\]\s*)+/, "") : "";
  }

  async #all(signal: AbortSignal): Promise<Map<string, ObservedPod[]>> {
    const kept = this.#kept;
    const { freshMs = 500 } = this.#options;
    if (kept !== null && performance.now() - kept.at < freshMs) return untilAborted(signal, () => kept.pods);
    const made = { at: performance.now(), pods: this.#list() };
    this.#kept = made;
    made.pods.catch(() => {
      if (this.#kept === made) this.#kept = null;
    });
    return untilAborted(signal, () => made.pods);
  }

  async #list(): Promise<Map<string, ObservedPod[]>> {
    const labels = `${MARKS.managedBy}=${MANAGER},${MARKS.installation}=${this.#installation},${MARKS.role}=${ROUTER}`;
    const listed = await this.#client.list(this.#path, labels, podSchema, AbortSignal.timeout(20_000));
    const pods = new Map<string, ObservedPod[]>();
    for (const pod of listed) {
      const name = pod.metadata.labels[MARKS.endpoint];
      if (name === undefined || pod.metadata.deletionTimestamp !== null) continue;
      pods.set(name, [...(pods.get(name) ?? []), pod]);
    }
    return pods;
  }
}

export function isReady({ status }: ObservedPod): boolean {
  return status.containerStatuses.some(({ name, ready }) => name === ENVOY_CONTAINER && ready);
}

/** Why its containers wait. */
export function reasonsOf({ metadata, status }: ObservedPod): string[] {
  const waiting = status.containerStatuses.flatMap(({ state }) => state.waiting ?? []);
  const unscheduled = status.conditions.filter(
    ({ type, status: is }) => type === "PodScheduled" && is === "False",
  );
  return [...waiting, ...unscheduled].map(
    ({ reason, message }) => `pod ${metadata.name}: ${reason} ${message}`,
  );
}

function silent(pod: ObservedPod, path: string, why: string, cause?: unknown): ServiceUnavailableError {
  const message = `pod ${pod.metadata.name} did not answer ${path}: ${why}`;
  return new ServiceUnavailableError(SERVICE, message, { cause });
}
