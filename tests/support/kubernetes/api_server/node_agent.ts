import { randomUUID } from "node:crypto";
import { z } from "zod";
import { type KeptObject, type ObjectStore, Refusal } from "./object_store.ts";

/** What becomes of a pod's container once its pod is on the node. */
export type PodBehaviour =
  | { becomes: "running"; answer: (path: string, body: string) => PodAnswer | Promise<PodAnswer> }
  /** It runs, and its readiness probe fails. */
  | { becomes: "unready" }
  | { becomes: "waiting"; reason: string; message: string }
  | { becomes: "crashing"; reason: string; exitCode: number; log: string }
  | { becomes: "unschedulable"; message: string };

interface PodAnswer {
  status: number;
  body: string;
}

export interface StandInPod {
  name: string;
  uid: string;
  image: string;
  environment: Record<string, string>;
}

const templateSchema = z.looseObject({
  replicas: z.int().default(1),
  template: z.looseObject({
    metadata: z.looseObject({ labels: z.record(z.string(), z.string()) }),
    spec: z.looseObject({}),
  }),
});
const podSpecSchema = z.looseObject({
  containers: z.array(
    z.looseObject({
      name: z.string(),
      image: z.string(),
      env: z.array(z.object({ name: z.string(), value: z.string().default("") })).default([]),
    }),
  ),
});

const condition = (type: string, isTrue: boolean, more: object = {}) => ({
  type,
  status: isTrue ? "True" : "False",
  ...more,
});

/** The deployment controller and the node of the stand-in, which act at once: pods come, go and report what became of them. */
export class NodeAgent {
  readonly #objects: ObjectStore;
  readonly #behaviourOf: (pod: StandInPod) => PodBehaviour;
  readonly #killed = new Set<string>();
  /** A quota of pods; Deployments that would exceed it report why. */
  podQuota = Infinity;
  /** Set, no controller looks at a Deployment any more: what is observed of it stays outdated. */
  isAsleep = false;
  #number = 0;
  readonly #lines = new Map<string, string[]>();
  #nanoseconds = 0;

  constructor(objects: ObjectStore, behaviourOf: (pod: StandInPod) => PodBehaviour) {
    this.#objects = objects;
    this.#behaviourOf = behaviourOf;
    objects.onChange = () => this.look();
  }

  /** Brings pods and statuses to what the Deployments say. */
  look(): void {
    if (this.isAsleep) return;
    for (const deployment of this.#objects.list("deployments")) this.#lookAt(deployment);
  }

  pods(deploymentName?: string): KeptObject[] {
    const all = this.#objects.list("pods");
    if (deploymentName === undefined) return all;
    const owner = this.#objects.get("deployments", deploymentName);
    return owner instanceof Refusal ? [] : all.filter((pod) => isOwnedBy(pod, owner));
  }

  templateOf(spec: unknown): z.infer<typeof templateSchema> {
    return templateSchema.parse(spec);
  }

  /** As if the process in each of these containers had been killed; it is not started again until the pod is deleted. */
  kill(pods: readonly KeptObject[]): void {
    for (const { metadata } of pods) this.#killed.add(metadata.uid);
    this.look();
  }

  /** What lies below a pod: its log, and its own answers through the proxy. */
  below(podAndPort: string, below: string, url: URL, body: string): PodAnswer | Refusal | Promise<PodAnswer> {
    const [name = ""] = podAndPort.split(":");
    const pod = this.#objects.get("pods", name);
    if (pod instanceof Refusal) return pod;
    const behaviour = this.#behaviour(pod);
    if (below === "/log" && url.searchParams.get("container") === "predictions") {
      return { status: 200, body: this.#printed(pod, url.searchParams) };
    }
    if (below === "/log") {
      return { status: 200, body: behaviour.becomes === "crashing" ? behaviour.log : "" };
    }
    if (behaviour.becomes !== "running") {
      const message = "error trying to reach service: dial tcp: connect: connection refused";
      return new Refusal(503, "ServiceUnavailable", message);
    }
    return behaviour.answer(`${below.replace(/^\/proxy/, "")}${url.search}`, body);
  }

  /** As if the pod's container of predictions had printed these lines. */
  print(pod: KeptObject, lines: readonly string[]): void {
    const printed = this.#lines.get(pod.metadata.uid) ?? [];
    for (const line of lines) {
      this.#nanoseconds += 1;
      printed.push(`2026-01-31T08:30:00.${String(this.#nanoseconds).padStart(9, "0")}Z ${line}\n`);
    }
    this.#lines.set(pod.metadata.uid, printed);
  }

  /** The API takes seconds only, and cuts wherever the bytes end. */
  #printed(pod: KeptObject, asked: URLSearchParams): string {
    const since = (asked.get("sinceTime") ?? "").slice(0, "2026-01-31T08:30:00".length);
    const lines = (this.#lines.get(pod.metadata.uid) ?? []).filter((line) => line >= since);
    const tail = lines.slice(-Number(asked.get("tailLines") ?? lines.length) || lines.length);
    return tail.join("").slice(0, Number(asked.get("limitBytes") ?? Infinity));
  }

  #lookAt(deployment: KeptObject): void {
    const spec = this.templateOf(deployment["spec"]);
    const own = this.pods(deployment.metadata.name);
    const room = this.podQuota - this.#objects.list("pods").length + own.length;
    const wanted = Math.min(spec.replicas, Math.max(0, room));
    for (const pod of own.slice(wanted)) this.#objects.remove("pods", pod.metadata.name, undefined);
    for (let count = own.length; count < wanted; count += 1) this.#addPod(deployment, spec);
    const pods = this.pods(deployment.metadata.name);
    for (const pod of pods) this.#objects.setStatus("pods", pod.metadata.name, this.#statusOf(pod));
    const ready = pods.filter((pod) => this.#behaviour(pod).becomes === "running").length;
    const overQuota = wanted < spec.replicas;
    this.#objects.setStatus("deployments", deployment.metadata.name, {
      observedGeneration: deployment.metadata.generation,
      replicas: pods.length,
      updatedReplicas: pods.length,
      readyReplicas: ready,
      availableReplicas: ready,
      unavailableReplicas: spec.replicas - ready,
      conditions: [
        condition("Available", ready >= spec.replicas),
        condition("Progressing", true, { reason: "NewReplicaSetAvailable" }),
        ...(overQuota
          ? [
              condition("ReplicaFailure", true, {
                reason: "FailedCreate",
                message: `pods "${deployment.metadata.name}" is forbidden: exceeded quota: pods`,
              }),
            ]
          : []),
      ],
    });
  }

  #addPod(deployment: KeptObject, { template }: z.infer<typeof templateSchema>): void {
    const { name, uid } = deployment.metadata;
    this.#number += 1;
    const made = this.#objects.create("pods", {
      apiVersion: "v1",
      kind: "Pod",
      metadata: {
        name: `${name}-${randomUUID().slice(0, 5)}`,
        labels: template.metadata.labels,
        ownerReferences: [{ apiVersion: "apps/v1", kind: "Deployment", name, uid, controller: true }],
      },
      spec: template.spec,
    });
    if (made instanceof Refusal) throw new TypeError(made.message);
  }

  #behaviour(pod: KeptObject): PodBehaviour {
    if (this.#killed.has(pod.metadata.uid)) {
      return { becomes: "crashing", reason: "Error", exitCode: 137, log: "" };
    }
    const [container] = podSpecSchema.parse(pod["spec"]).containers;
    const environment = Object.fromEntries((container?.env ?? []).map(({ name, value }) => [name, value]));
    const { name, uid } = pod.metadata;
    return this.#behaviourOf({ name, uid, image: container?.image ?? "", environment });
  }

  #statusOf(pod: KeptObject): object {
    const behaviour = this.#behaviour(pod);
    const { containers } = podSpecSchema.parse(pod["spec"]);
    if (behaviour.becomes === "unschedulable") {
      const unscheduled = { reason: "Unschedulable", message: behaviour.message };
      return { phase: "Pending", conditions: [condition("PodScheduled", false, unscheduled)] };
    }
    const ready = behaviour.becomes === "running";
    const restartCount = behaviour.becomes === "crashing" ? 2 : 0;
    const containerStatuses = containers.map(({ name, image }) => ({
      name,
      image,
      imageID: image,
      ready,
      started: ready,
      restartCount,
      ...stateOf(behaviour),
    }));
    const conditions = [condition("PodScheduled", true), condition("Ready", ready)];
    const phase = behaviour.becomes === "waiting" ? "Pending" : "Running";
    return { phase, podIP: `10.244.0.${this.#number}`, conditions, containerStatuses };
  }
}

function stateOf(behaviour: PodBehaviour): { state: object; lastState?: object } {
  switch (behaviour.becomes) {
    case "running":
    case "unready":
      return { state: { running: { startedAt: new Date(0).toISOString() } } };
    case "waiting":
      return { state: { waiting: { reason: behaviour.reason, message: behaviour.message } } };
    case "crashing": {
      const { reason, exitCode } = behaviour;
      const waiting = { reason: "CrashLoopBackOff", message: "back-off 10s restarting failed container" };
      return { state: { waiting }, lastState: { terminated: { reason, exitCode } } };
    }
    case "unschedulable":
      return { state: {} };
    default:
      return behaviour satisfies never;
  }
}

function isOwnedBy(pod: KeptObject, owner: KeptObject): boolean {
  return pod.metadata.ownerReferences?.some(({ uid }) => uid === owner.metadata.uid) === true;
}
