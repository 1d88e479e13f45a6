import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { request } from "undici";
import { z } from "zod";
import {
  ENVOY_CONTAINER,
  FILES_FOLDER,
  ROUTER_PORTS,
} from "../../../src/mlops/kubernetes/router/router_objects.ts";
import { pollUntil } from "../../../src/testing/poll.ts";
import type { PodBehaviour, StandInPod } from "./api_server/node_agent.ts";
import { type KeptObject, Refusal } from "./api_server/object_store.ts";
import { StandInCluster } from "./api_server/stand_in_cluster.ts";

interface EnvoyPod {
  address: string;
  process: ChildProcess;
  folder: string;
  /** What the pod was told last; its files are handed out anew when it changes. */
  told: string | undefined;
  isLive: boolean;
}

const TOLD = "model-deployer/told";
const podSpecSchema = z.looseObject({
  containers: z.array(z.looseObject({ name: z.string(), args: z.array(z.string()).default([]) })),
});

/**
 * A stand-in cluster whose pods with Envoy are Envoys of this machine. Each has a loopback address of its own instead of a
 * network of its own, and gets its ConfigMap's files as a node hands them out: at its start, and when it changes.
 */
export class ClusterOfEnvoys {
  readonly cluster: StandInCluster;
  readonly #pods: Map<string, EnvoyPod>;
  readonly #envoyPath: string;
  #number = 0;
  /** Pods that are not handed any files until it is false again. */
  isNodeSlow = false;

  private constructor(cluster: StandInCluster, pods: Map<string, EnvoyPod>, envoyPath: string) {
    this.cluster = cluster;
    this.#pods = pods;
    this.#envoyPath = envoyPath;
    const look = cluster.objects.onChange;
    cluster.objects.onChange = (plural) => {
      look(plural);
      this.#look();
    };
  }

  static async start(envoyPath: string): Promise<ClusterOfEnvoys> {
    const pods = new Map<string, EnvoyPod>();
    const cluster = await StandInCluster.start((pod) => behaviourOf(pod, pods));
    return new ClusterOfEnvoys(cluster, pods, envoyPath);
  }

  /** Where callers of an endpoint's Service end up: at one of its pods that are ready. */
  addresses(deploymentName: string): string[] {
    return this.cluster.node.pods(deploymentName).flatMap(({ metadata }) => {
      const pod = this.#pods.get(metadata.uid);
      return pod?.isLive === true ? [`http://${pod.address}:${ROUTER_PORTS.callers}`] : [];
    });
  }

  /** Until as many of its pods are ready. */
  async untilReady(deploymentName: string, count: number): Promise<void> {
    await pollUntil(() => Promise.resolve(this.addresses(deploymentName).length === count), {
      deadlineMs: 120_000,
      what: `${count} ready pods of ${deploymentName}`,
    });
  }

  async close(): Promise<void> {
    this.cluster.objects.onChange = () => undefined;
    await Promise.all([...this.#pods.keys()].map((uid) => this.#end(uid)));
    await this.cluster.close();
  }

  #look(): void {
    const present = this.cluster.node.pods();
    for (const pod of present) this.#lookAt(pod);
    const uids = new Set(present.map(({ metadata }) => metadata.uid));
    for (const uid of [...this.#pods.keys()]) if (!uids.has(uid)) void this.#end(uid);
  }

  #lookAt(pod: KeptObject): void {
    const envoy = podSpecSchema.parse(pod["spec"]).containers.find(({ name }) => name === ENVOY_CONTAINER);
    const name = pod.metadata.labels?.["model-deployer/endpoint"];
    if (envoy === undefined || name === undefined) return;
    const known = this.#pods.get(pod.metadata.uid) ?? this.#begin(pod, name, envoy.args);
    const told = pod.metadata.annotations?.[TOLD];
    if (told === known.told || this.isNodeSlow) return;
    known.told = told;
    this.#handOut(name, known.folder);
  }

  #begin(pod: KeptObject, name: string, args: readonly string[]): EnvoyPod {
    this.#number += 1;
    const address = `127.77.${process.pid % 250}.${this.#number}`;
    const folder = mkdtempSync(join(tmpdir(), "envoy-pod-"));
    this.#handOut(name, folder);
    const { uid } = pod.metadata;
    const own = args.map((arg) =>
      arg.replaceAll("$(POD_UID)", uid).replaceAll("$(POD_IP)", address).replaceAll(FILES_FOLDER, folder),
    );
    const begun = { address, folder, told: pod.metadata.annotations?.[TOLD], isLive: false };
    const made = { ...begun, process: spawn(this.#envoyPath, own, { stdio: "ignore" }) };
    this.#pods.set(uid, made);
    void this.#untilLive(made);
    return made;
  }

  async #untilLive(pod: EnvoyPod): Promise<void> {
    await pollUntil(
      async () => {
        if (pod.process.exitCode !== null || pod.process.signalCode !== null) return true;
        return (await ask(pod, "/ready").catch(() => ({ status: 0 }))).status === 200;
      },
      { deadlineMs: 120_000, what: "an Envoy that is ready" },
    );
    pod.isLive = pod.process.exitCode === null && pod.process.signalCode === null;
    this.cluster.node.look();
  }

  /** As a node does: whole files, put in place by a rename. */
  #handOut(configMap: string, folder: string): void {
    const files = this.cluster.objects.get("configmaps", configMap);
    if (files instanceof Refusal) return;
    mkdirSync(folder, { recursive: true });
    const data = z.record(z.string(), z.string()).parse(files["data"]);
    for (const [name, content] of Object.entries(data)) {
      writeFileSync(join(folder, `${name}.next`), content);
      renameSync(join(folder, `${name}.next`), join(folder, name));
    }
  }

  async #end(uid: string): Promise<void> {
    const pod = this.#pods.get(uid);
    this.#pods.delete(uid);
    if (pod === undefined) return;
    if (pod.process.exitCode === null && pod.process.signalCode === null) {
      pod.process.kill("SIGKILL");
      await once(pod.process, "exit");
    }
    rmSync(pod.folder, { recursive: true, force: true });
  }
}

function behaviourOf({ uid }: StandInPod, pods: Map<string, EnvoyPod>): PodBehaviour {
  const pod = pods.get(uid);
  if (pod?.isLive !== true) return { becomes: "unready" };
  return { becomes: "running", answer: (path) => ask(pod, path) };
}

async function ask({ address }: EnvoyPod, path: string): Promise<{ status: number; body: string }> {
  const answer = await request(`http://${address}:${ROUTER_PORTS.readings}${path}`);
  return { status: answer.statusCode, body: await answer.body.text() };
}
