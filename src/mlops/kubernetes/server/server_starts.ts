import { EndpointCreationError } from "../../../agents/model_deployer/errors.ts";
import type { StartServer } from "../../../agents/model_deployer/ports/model_server_port.ts";
import type { AwaitedPods } from "./awaited_pods.ts";
import type { ClusterServers } from "./cluster_servers.ts";
import type { ServerView } from "./observed_objects.ts";
import { objectName, processName } from "./object_names.ts";
import { deploymentObject, firstReplicas, specificationOf } from "./server_objects.ts";
import type { ServerSettings } from "./server_pod.ts";

interface Address {
  host: string;
  port: number;
}

interface AskedStart {
  input: StartServer;
  /** By its digest. */
  image: string;
  /** All servers that the deployment has, oldest first. */
  own: readonly ServerView[];
}

/** The three ways in which a deployment comes to a server; each carries on what a killed one has begun. */
export class ServerStarts {
  readonly #servers: ClusterServers;
  readonly #awaited: AwaitedPods;
  readonly #settings: ServerSettings;

  constructor(servers: ClusterServers, awaited: AwaitedPods, settings: ServerSettings) {
    this.#servers = servers;
    this.#awaited = awaited;
    this.#settings = settings;
  }

  async startNew({ input, image, own }: AskedStart, signal: AbortSignal): Promise<Address> {
    for (const left of own) await this.#servers.remove(left, signal);
    const ordinal = await this.#freeOrdinal(input.deployment_id, 1, signal);
    return this.#begin({ input, image, ordinal, installed: true }, signal);
  }

  /** The new one is the deployment's own as soon as it is ready; one that a killed start left is carried on. */
  async startBeside(
    { input, image, own, present }: AskedStart & { present: ServerView },
    signal: AbortSignal,
  ): Promise<Address> {
    const begun = own.find((server) => !server.installed);
    const ordinal =
      begun?.ordinal ?? (await this.#freeOrdinal(input.deployment_id, present.ordinal + 1, signal));
    const address = await this.#begin({ input, image, ordinal, installed: false }, signal);
    for (;;) {
      this.#servers.forget();
      const next = (await this.#servers.ofDeployment(input.deployment_id, signal)).find(
        (server) => server.ordinal === ordinal,
      );
      if (next === undefined) throw cannotServe(input, "somebody deleted its Deployment");
      if (next.installed || (await this.#servers.mark(next, { installed: true }, signal))) return address;
    }
  }

  /** How many pods its autoscaler, or whoever scales it, wants the deployment to have now. */
  async #podsOf(deploymentId: string, signal: AbortSignal): Promise<number> {
    const present = (await this.#servers.ofDeployment(deploymentId, signal)).findLast(
      ({ installed }) => installed,
    );
    return present?.deployment.spec.replicas ?? 0;
  }

  /** A deployment whose first server was handed over has its next one under another name. */
  async #freeOrdinal(deploymentId: string, first: number, signal: AbortSignal): Promise<number> {
    for (let ordinal = first; ; ordinal += 1) {
      const name = objectName(this.#settings.installation, processName(deploymentId, ordinal));
      const present = await this.#servers.named(name, signal);
      if (present === null || present.view.deployment_id === deploymentId) return ordinal;
    }
  }

  async #begin(
    {
      input,
      image,
      ordinal,
      installed,
    }: { input: StartServer; image: string; ordinal: number; installed: boolean },
    signal: AbortSignal,
  ): Promise<Address> {
    const { deployment_id, bento_tag, resources } = input;
    const alike = await this.#podsOf(input.sized_by ?? deployment_id, signal);
    const object = deploymentObject(
      { deployment_id, ordinal, bento_tag, image, resources, alike, installed },
      this.#settings,
    );
    await this.#servers.make(object, signal);
    const found = await this.#servers.named(object.metadata.name, signal);
    if (found === null) throw cannotServe(input, "its Deployment was deleted as soon as it was made");
    if (found.specification !== specificationOf(object)) {
      throw cannotServe(
        input,
        `a Deployment ${object.metadata.name} with another specification is there: remove the deployment and ask again`,
      );
    }
    const address = await this.#servers.complete(found.view, resources, signal);
    const outcome = await this.#awaited.untilReady(found.view, input.served_before === true, signal);
    if (outcome.state === "ready") return address;
    // It never answered, whoever made it; another starter of the same server sees the same.
    await this.#servers.remove(found.view, signal);
    throw cannotServe(input, outcome.reason);
  }

  /** One that was told to end and has not yet is the deployment's server again. */
  async #keep(server: ServerView, signal: AbortSignal): Promise<void> {
    if (await this.#servers.mark(server, { ending_since: null }, signal)) return;
    const found = await this.#servers.named(server.deployment.metadata.name, signal);
    if (found !== null && found.view.ending_since !== null) return this.#keep(found.view, signal);
  }

  /** The one case in which a Deployment is scaled from here: nothing else scales it up from none. */
  async #populate(input: StartServer, server: ServerView, signal: AbortSignal): Promise<void> {
    const replicas = firstReplicas({ resources: input.resources, alike: 0 });
    if (await this.#servers.scale(server, replicas, signal)) return;
    const found = await this.#servers.named(server.deployment.metadata.name, signal);
    if (found?.view.deployment.spec.replicas === 0) return this.#populate(input, found.view, signal);
  }

  /** Pods that ended are replaced at once, instead of when the cluster's pause is over. */
  async adopt(input: StartServer, present: ServerView, signal: AbortSignal): Promise<Address> {
    if (present.ending_since !== null) await this.#keep(present, signal);
    if (present.deployment.spec.replicas === 0) await this.#populate(input, present, signal);
    const { pods } = await this.#servers.snapshot(signal);
    const own = pods.get(present.deployment.metadata.name) ?? [];
    const ended = own.filter(({ status }) =>
      status.containerStatuses.some(({ state }) => state.waiting?.reason === "CrashLoopBackOff"),
    );
    for (const pod of ended) await this.#servers.replacePod(pod, signal);
    const address = await this.#servers.complete(present, input.resources, signal);
    const outcome = await this.#awaited.untilReady(present, input.served_before === true, signal);
    if (outcome.state === "ready") return address;
    throw cannotServe(input, outcome.reason);
  }
}

function cannotServe({ deployment_id, bento_tag }: StartServer, reason: string): EndpointCreationError {
  return new EndpointCreationError(`${bento_tag} cannot be served for ${deployment_id}: ${reason}`, {
    details: { deployment_id, bento_tag, reason },
  });
}
