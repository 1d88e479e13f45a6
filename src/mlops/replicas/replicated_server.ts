import { availableParallelism } from "node:os";
import type { CallOptions } from "../../agents/model_deployer/ports/call_options.ts";
import type { Isolation } from "../../agents/model_deployer/domain/entities.ts";
import {
  type ModelServer,
  type ObserveOptions,
  type ServerObservation,
  type StartedServer,
  type StartServer,
  type StopOptions,
  weakest,
} from "../../agents/model_deployer/ports/model_server_port.ts";
import { combined } from "./combined_observation.ts";
import { deploymentOf, isPresent, presentOf, replicaNumber, replicaOf } from "./server_names.ts";

/** Servers one by one, each under a name of its own, of which `ReplicatedServer` makes deployments. */
export interface SingleServers extends ModelServer {
  /** Names of the deployment's servers that are recorded, running or not; `.former` ones are still to be stopped. */
  namesOf(deploymentId: string): Promise<string[]>;
  /** The server of this name becomes a former one, and runs until it is stopped. */
  retire(name: string): Promise<void>;
  /** @throws MemoryShortError where so many more like it would have to push it out of memory */
  assertRoomFor(name: string, count: number): Promise<void>;
}

/** How many servers are started at the same time, once the first of them has answered. */
const atOnce = Math.max(1, availableParallelism());

/**
 * Deployments of one or several servers. What belongs to a deployment is what is recorded under its names, so whoever
 * looks sees the same, after a crash as well; the same call carries on what was cut off.
 */
export class ReplicatedServer implements ModelServer {
  readonly #servers: SingleServers;

  constructor(servers: SingleServers) {
    this.#servers = servers;
  }

  async start(input: StartServer, options: CallOptions): Promise<StartedServer> {
    const { deployment_id: id, replica, resources } = input;
    if (replica !== undefined) {
      return this.#servers.start({ ...input, deployment_id: replicaOf(id, replica) }, options);
    }
    if (input.beside === true) return this.#startBeside(input, options);
    const present = await this.#present(id);
    const wanted = Array.from({ length: resources.replicas }, (_, index) => replicaOf(id, index + 1));
    const [first = id, ...further] = await this.#toStart(wanted, present, options);
    const address = await this.#servers.start({ ...input, deployment_id: first }, options);
    const isolations = await this.#startFurther(input, further, present, options);
    const surplus = present.filter((name) => replicaNumber(name) > resources.replicas);
    for (const name of surplus) await this.#servers.retire(name);
    return { ...address, isolation: weakest([address.isolation, ...isolations]) };
  }

  /** One that hangs is not waited for where another one answers. */
  async #toStart(
    wanted: readonly string[],
    present: readonly string[],
    options: CallOptions,
  ): Promise<string[]> {
    if (wanted.length === 1 || present.length === 0) return [...wanted];
    const states = await Promise.all(
      wanted.map(async (name) =>
        present.includes(name) ? (await this.#servers.observe(name, options)).state : "absent",
      ),
    );
    if (!states.includes("ready")) return [...wanted];
    return wanted.filter((_, index) => states[index] !== "unresponsive");
  }

  /** One after another, so that there is only ever one more than the deployment has. */
  async #startBeside(input: StartServer, options: CallOptions): Promise<StartedServer> {
    const { deployment_id: id, resources } = input;
    const address = await this.#servers.start(input, options);
    for (let replica = 2; replica <= resources.replicas; replica += 1) {
      await this.#servers.start({ ...input, deployment_id: replicaOf(id, replica) }, options);
    }
    return address;
  }

  /** The servers that were started here are ended where one of them cannot be. */
  async #startFurther(
    input: StartServer,
    further: readonly string[],
    present: readonly string[],
    options: CallOptions,
  ): Promise<Isolation[]> {
    const isolations: Isolation[] = [];
    const started = further.filter((name) => !present.includes(name));
    if (started.length > 0) await this.#servers.assertRoomFor(input.deployment_id, started.length);
    try {
      for (let from = 0; from < further.length; from += atOnce) {
        const names = further.slice(from, from + atOnce);
        const starts = names.map((name) => this.#servers.start({ ...input, deployment_id: name }, options));
        const ended = await Promise.allSettled(starts);
        const failed = ended.find((one) => one.status === "rejected");
        if (failed !== undefined) throw failed.reason;
        isolations.push(...ended.flatMap((one) => (one.status === "fulfilled" ? one.value.isolation : [])));
      }
      return isolations;
    } catch (error) {
      // Cut off by its deadline, the same call goes on with them.
      if (!options.signal.aborted) {
        await Promise.all(started.map((name) => this.#servers.stop(name, options)));
      }
      throw error;
    }
  }

  /** Former ones one after another; all of a deployment that has no traffic any more at once. */
  async stop(deploymentId: string, options: StopOptions): Promise<void> {
    const names = await this.#servers.namesOf(deploymentId);
    const all = [...new Set([deploymentId, ...names.map(presentOf)])];
    if (options.only_former !== true) {
      await Promise.all(all.map((name) => this.#servers.stop(name, options)));
      return;
    }
    for (const name of all) await this.#servers.stop(name, options);
  }

  async observe(deploymentId: string, options: ObserveOptions): Promise<ServerObservation> {
    const names = await this.#servers.namesOf(deploymentId);
    const present = names.filter(isPresent).sort((a, b) => replicaNumber(a) - replicaNumber(b));
    const asked = present.length === 0 ? [deploymentId] : present;
    const seen = await Promise.all(
      asked.map(async (name) => ({
        replica: replicaNumber(name),
        observed: await this.#servers.observe(name, options),
      })),
    );
    const isLeftBehind = names.some((name) => !isPresent(name) && !present.includes(presentOf(name)));
    return combined(seen, isLeftBehind);
  }

  /** The first one last: as long as it is there, the same call goes on with the rest. */
  async handOver(...[from, to, options]: Parameters<ModelServer["handOver"]>): Promise<boolean> {
    const further = (await this.#present(from)).filter((name) => name !== from);
    for (const name of further) {
      const heir = { ...to, deployment_id: replicaOf(to.deployment_id, replicaNumber(name)) };
      if (!(await this.#servers.handOver(name, heir, options))) await this.#servers.stop(name, options);
    }
    return this.#servers.handOver(from, to, options);
  }

  async list(): Promise<string[]> {
    return [...new Set((await this.#servers.list()).map(deploymentOf))];
  }

  async #present(deploymentId: string): Promise<string[]> {
    return (await this.#servers.namesOf(deploymentId)).filter(isPresent);
  }
}
