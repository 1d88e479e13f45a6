import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { AgentError } from "../../../src/agents/base/agent_error.ts";
import type { ClusterClient } from "../../../src/mlops/kubernetes/api/cluster_client.ts";
import { NODE_ADDRESS } from "../control_plane.ts";
import { LOGS_PORT, startKubeletLogs } from "./kubelet_logs.ts";
import { type NodePod, nodePodSchema } from "./pod_schema.ts";
import { RunningPod } from "./running_pod.ts";
import { ServiceAddresses } from "./service_addresses.ts";
import { podStatus } from "./pod_status.ts";
import { UnpackedImages } from "./unpacked_images.ts";

const NODE = "this-machine";
const ROUND_MS = 250;

/** The one node of a test's cluster, with scheduler, kubelet and proxy: each container is a process of this machine. */
export class ProcessNode {
  readonly #api: ClusterClient;
  readonly #namespace: string;
  readonly #folder: string;
  readonly #images: UnpackedImages;
  readonly #pods = new Map<string, RunningPod>();
  readonly #told = new Map<string, string>();
  readonly #services: ServiceAddresses;
  #number = 0;

  constructor(api: ClusterClient, namespace: string, folder: string) {
    this.#api = api;
    this.#namespace = namespace;
    this.#folder = folder;
    this.#images = new UnpackedImages(join(folder, "images"));
    this.#services = new ServiceAddresses((labels) => this.#ready(labels));
  }

  async run(signal: AbortSignal): Promise<void> {
    await this.#register(signal);
    await startKubeletLogs(this.#folder, (pod, container) =>
      [...this.#pods.values()]
        .find((one) => one.pod.metadata.name === pod)
        ?.containers.find(({ spec }) => spec.name === container),
    );
    while (!signal.aborted) {
      try {
        await this.#round(signal);
      } catch (error) {
        // An API server that is busy answers the next round.
        if (!(error instanceof AgentError)) throw error;
      }
      await delay(ROUND_MS);
    }
  }

  async #round(signal: AbortSignal): Promise<void> {
    const path = `/api/v1/namespaces/${this.#namespace}/pods`;
    const [listed] = await Promise.all([
      this.#api.list(path, "", nodePodSchema, signal),
      this.#services.look(this.#api, this.#namespace, signal),
    ]);
    await Promise.all(listed.map((pod) => this.#look(pod, signal)));
    const present = new Set(listed.map(({ metadata }) => metadata.uid));
    for (const [uid, pod] of this.#pods) if (!present.has(uid) && !pod.isEnding) void this.#end(pod, signal);
  }

  async #look(pod: NodePod, signal: AbortSignal): Promise<void> {
    const { name, uid, deletionTimestamp } = pod.metadata;
    const known = this.#pods.get(uid);
    if (deletionTimestamp !== undefined) {
      if (known === undefined) await this.#forget(pod, signal);
      else if (!known.isEnding) void this.#end(known, signal);
      return;
    }
    if (pod.spec.nodeName === "") {
      const target = { apiVersion: "v1", kind: "Node", name: NODE };
      const binding = { apiVersion: "v1", kind: "Binding", metadata: { name }, target };
      const path = `/api/v1/namespaces/${this.#namespace}/pods/${name}/binding`;
      await this.#api.call({ method: "POST", path, body: binding }, signal, [404, 409]);
      return;
    }
    if (known === undefined) {
      this.#number += 1;
      const made = new RunningPod(pod, this.#number, {
        api: this.#api,
        images: this.#images,
        folder: this.#folder,
      });
      this.#pods.set(uid, made);
      void made.start(signal);
      return;
    }
    await known.changed(pod, signal);
    await Promise.all(known.containers.map((container) => container.probe()));
    await this.#tell(known, signal);
  }

  async #tell(known: RunningPod, signal: AbortSignal): Promise<void> {
    const { name, uid } = known.pod.metadata;
    const status = podStatus(known);
    const text = JSON.stringify(status);
    if (this.#told.get(uid) === text) return;
    const path = `/api/v1/namespaces/${this.#namespace}/pods/${name}/status`;
    const contentType = "application/merge-patch+json";
    await this.#api.call({ method: "PATCH", path, body: { status }, contentType }, signal, [404, 409]);
    this.#told.set(uid, text);
  }

  async #end(known: RunningPod, signal: AbortSignal): Promise<void> {
    known.isEnding = true;
    await known.end();
    this.#pods.delete(known.pod.metadata.uid);
    await this.#forget(known.pod, signal);
  }

  async #forget({ metadata: { name, uid } }: NodePod, signal: AbortSignal): Promise<void> {
    const path = `/api/v1/namespaces/${this.#namespace}/pods/${name}`;
    const body = { gracePeriodSeconds: 0, preconditions: { uid } };
    await this.#api.call({ method: "DELETE", path, body }, signal, [404, 409]);
  }

  #ready(labels: Record<string, string>): string[] {
    return [...this.#pods.values()]
      .filter(({ pod, isEnding, containers }) => {
        const isSelected = Object.entries(labels).every(([key, value]) => pod.metadata.labels[key] === value);
        const isWhole = containers.length === pod.spec.containers.length;
        return isSelected && !isEnding && isWhole && containers.every(({ isReady }) => isReady);
      })
      .map(({ address }) => address);
  }

  async #register(signal: AbortSignal): Promise<void> {
    const labels = { "kubernetes.io/hostname": NODE };
    const node = { apiVersion: "v1", kind: "Node", metadata: { name: NODE, labels } };
    await this.#api.call({ method: "POST", path: "/api/v1/nodes", body: node }, signal, [409]);
    const room = { cpu: "16", memory: "64Gi", pods: "100" };
    const status = {
      capacity: room,
      allocatable: room,
      addresses: [{ type: "InternalIP", address: NODE_ADDRESS }],
      daemonEndpoints: { kubeletEndpoint: { Port: LOGS_PORT } },
      conditions: [{ type: "Ready", status: "True", reason: "KubeletReady" }],
    };
    const path = `/api/v1/nodes/${NODE}/status`;
    const contentType = "application/merge-patch+json";
    await this.#api.call({ method: "PATCH", path, body: { status }, contentType }, signal);
  }
}
