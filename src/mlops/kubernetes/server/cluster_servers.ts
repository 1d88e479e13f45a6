import { setTimeout as delay } from "node:timers/promises";
import { EndpointCreationError } from "../../../agents/model_deployer/errors.ts";
import type { Resources } from "../../../agents/model_deployer/domain/entities.ts";
import type { ClusterClient } from "../api/cluster_client.ts";
import {
  anyObjectSchema,
  deploymentSchema,
  type ObservedPod,
  type ServerView,
  serverViewOf,
  serviceSchema,
} from "./observed_objects.ts";
import { addressOf, ClusterSnapshots, type ServiceAddress, type Snapshot } from "./cluster_snapshots.ts";
import { pathIn } from "./namespace_paths.ts";
import { MARKS, ownerLabel } from "./object_names.ts";
import { companionObjects, type KubernetesObject } from "./server_objects.ts";
import type { ServerSettings } from "./server_pod.ts";

const POLL_MS = 200;

/** The servers of one installation as objects of one namespace. */
export class ClusterServers {
  readonly #client: ClusterClient;
  readonly #namespace: string;
  readonly #settings: ServerSettings;
  readonly #snapshots: ClusterSnapshots;

  /** @param freshMs as of `ClusterSnapshots` */
  constructor(client: ClusterClient, namespace: string, settings: ServerSettings, freshMs = 500) {
    this.#client = client;
    this.#namespace = namespace;
    this.#settings = settings;
    this.#snapshots = new ClusterSnapshots(client, namespace, settings.installation, freshMs);
  }

  snapshot(signal: AbortSignal): Promise<Snapshot> {
    return this.#snapshots.latest(signal);
  }

  /** The servers of this deployment, oldest first: former ones, the present one, and one that is not installed yet. */
  async ofDeployment(deploymentId: string, signal: AbortSignal): Promise<ServerView[]> {
    const { servers } = await this.snapshot(signal);
    return servers
      .filter((server) => server.deployment_id === deploymentId)
      .sort((a, b) => a.ordinal - b.ordinal);
  }

  /** Makes the server's Deployment, unless one of this name is there, whoever made it. */
  async make(object: KubernetesObject, signal: AbortSignal): Promise<void> {
    await this.#client.create(this.#path("deployments"), object, deploymentSchema, signal);
    this.forget();
  }

  /** The server of this name; null where there is none. @throws EndpointCreationError for a Deployment that is none of ours */
  async named(
    name: string,
    signal: AbortSignal,
  ): Promise<{ view: ServerView; specification: string } | null> {
    const path = `${this.#path("deployments")}/${name}`;
    for (;;) {
      const found = await this.#client.get(path, deploymentSchema, signal);
      if (found === null) return null;
      const { annotations, deletionTimestamp } = found.metadata;
      if (deletionTimestamp !== null) {
        await delay(POLL_MS, undefined, { signal });
        continue;
      }
      const view = serverViewOf(found);
      if (view !== null) return { view, specification: annotations[MARKS.specification] ?? "" };
      throw new EndpointCreationError(
        `namespace ${this.#namespace} has a Deployment ${name} that is no server of this deployer: rename or delete it`,
        { details: { deployment: name, namespace: this.#namespace } },
      );
    }
  }

  /** Makes what stands beside the Deployment, where it is missing, and tells the address. */
  async complete(
    { deployment }: ServerView,
    resources: Resources,
    signal: AbortSignal,
  ): Promise<ServiceAddress> {
    const { name, uid } = deployment.metadata;
    const companions = companionObjects(name, uid, resources, this.#settings);
    await Promise.all(companions.map(({ plural, object }) => this.#ensure(plural, object, uid, signal)));
    const service = await this.#client.get(`${this.#path("services")}/${name}`, serviceSchema, signal);
    const address = service === null ? null : addressOf(service);
    if (address !== null) return address;
    throw new EndpointCreationError(
      `Service ${name} got no address of the cluster; a headless one is none of ours`,
    );
  }

  /** Changes a server's marks as it was seen; false where it was changed since. */
  async mark({ deployment }: ServerView, marks: ServerMarks, signal: AbortSignal): Promise<boolean> {
    const { name, resourceVersion } = deployment.metadata;
    const change = markChange(marks);
    const path = `${this.#path("deployments")}/${name}`;
    const body = { metadata: { resourceVersion, ...change } };
    const changed = await this.#client.merge(path, body, deploymentSchema, signal);
    this.forget();
    return changed !== null;
  }

  /** Gives a server pods as it was seen; false where it was changed since. */
  async scale({ deployment }: ServerView, replicas: number, signal: AbortSignal): Promise<boolean> {
    const { name, resourceVersion } = deployment.metadata;
    const path = `${this.#path("deployments")}/${name}`;
    const change = { metadata: { resourceVersion }, spec: { replicas } };
    const changed = await this.#client.merge(path, change, deploymentSchema, signal);
    this.forget();
    return changed !== null;
  }

  /** Ends exactly this server; its pods finish what they have. */
  async remove({ deployment }: ServerView, signal: AbortSignal): Promise<void> {
    const { name, uid } = deployment.metadata;
    await this.#client.remove(`${this.#path("deployments")}/${name}`, uid, signal);
    this.forget();
  }

  /** A pod of the same server takes its place. */
  async replacePod({ metadata }: ObservedPod, signal: AbortSignal): Promise<void> {
    await this.#client.remove(`${this.#path("pods")}/${metadata.name}`, metadata.uid, signal);
    this.forget();
  }

  /** The end of the log of the container's last run. */
  async log(pod: string, container: string, signal: AbortSignal): Promise<string> {
    for (const previous of ["true", "false"]) {
      const query = { container, previous, tailLines: "400" };
      const path = `${this.#path("pods")}/${pod}/log`;
      const answer = await this.#client.call({ method: "GET", path, query }, signal, [400, 404]);
      if (answer.status === 200 && answer.body.trim() !== "") return answer.body;
    }
    return "";
  }

  /** A part of a container's log, each line behind its time; empty where the pod is gone or has not started. */
  async lines(
    pod: string,
    container: string,
    part: Record<string, string>,
    signal: AbortSignal,
  ): Promise<string> {
    const query = { container, timestamps: "true", ...part };
    const path = `${this.#path("pods")}/${pod}/log`;
    const answer = await this.#client.call({ method: "GET", path, query }, signal, [400, 404]);
    return answer.status === 200 ? answer.body : "";
  }

  podPath(pod: string): string {
    return `${this.#path("pods")}/${pod}`;
  }

  /** The next look asks anew. */
  forget(): void {
    this.#snapshots.forget();
  }

  /** One of the same name may still be there from a Deployment before, to be collected at any moment. */
  async #ensure(plural: string, object: KubernetesObject, owner: string, signal: AbortSignal): Promise<void> {
    const path = this.#path(plural);
    for (;;) {
      if ((await this.#client.create(path, object, anyObjectSchema, signal)) !== null) return;
      const present = await this.#client.get(`${path}/${object.metadata.name}`, anyObjectSchema, signal);
      if (present === null) continue;
      const { uid, ownerReferences, deletionTimestamp } = present.metadata;
      if (ownerReferences.some((reference) => reference.uid === owner) && deletionTimestamp === null) return;
      await this.#client.remove(`${path}/${object.metadata.name}`, uid, signal);
      await delay(POLL_MS, undefined, { signal });
    }
  }

  #path(plural: string): string {
    return pathIn(this.#namespace, plural);
  }
}

type ServerMarks = { installed: true } | { deployment_id: string } | { ending_since: string | null };

function markChange(marks: ServerMarks): object {
  if ("installed" in marks) return { annotations: { [MARKS.installed]: "true" } };
  if ("ending_since" in marks) return { annotations: { [MARKS.endingSince]: marks.ending_since } };
  return {
    labels: { [MARKS.owner]: ownerLabel(marks.deployment_id) },
    annotations: { [MARKS.deploymentId]: marks.deployment_id },
  };
}
