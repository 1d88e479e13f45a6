import { AgentError } from "../../agents/base/agent_error.ts";
import { noAnswer } from "../../agents/base/deadline.ts";
import { EndpointCreationError, ServiceUnavailableError } from "../../agents/model_deployer/errors.ts";
import type { CallOptions } from "../../agents/model_deployer/ports/call_options.ts";
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
} from "../../agents/model_deployer/ports/model_server_port.ts";
import type { BentoProbe } from "../shared/bento_probe.ts";
import { assertServedId } from "../replicas/server_names.ts";
import { AwaitedCloudServer, cannotServe } from "./awaited_cloud_server.ts";
import { type Address, addressOf } from "./cloud_address.ts";
import { BENTOCLOUD, type CloudClient } from "./cloud_client.ts";
import type { SeenServer } from "./cloud_objects.ts";
import { conditionOf } from "./cloud_condition.ts";
import { CloudServers, type CloudSettings, isThere } from "./cloud_servers.ts";

export interface BentoCloudServerOptions {
  client: CloudClient;
  settings: CloudSettings;
  /** Has the bento in the cloud. @throws EndpointCreationError where there is none, or it was changed */
  push(bentoTag: string, options: CallOptions): Promise<void>;
  /** A probe that asks the servers at this address. */
  probeAt(url: string): BentoProbe;
  pollMs?: number;
}

/**
 * Serves bentos as deployments of BentoCloud, one for each server. Whom it belongs to stands in its labels. The platform has
 * no optimistic lock, so that of two who change the same labels at once the last one wins; the lease keeps them apart.
 */
export class BentoCloudServer implements ModelServer, SamplePredictions {
  readonly #options: BentoCloudServerOptions;
  readonly #servers: CloudServers;
  readonly #awaited: AwaitedCloudServer;

  constructor(options: BentoCloudServerOptions) {
    this.#options = options;
    const pollMs = options.pollMs ?? 2_000;
    this.#servers = new CloudServers(options.client, options.settings, pollMs);
    this.#awaited = new AwaitedCloudServer(this.#servers, (url) => options.probeAt(url), {
      startSeconds: options.settings.startSeconds,
      pollMs,
    });
  }

  /** When `signal` aborts, the platform goes on: the same call again adopts what it made, `stop` ends it. */
  async start(input: StartServer, options: CallOptions): Promise<StartedServer> {
    const { deployment_id, bento_tag } = input;
    const address = await this.#typed(deployment_id, options.signal, async () => {
      await this.#options.push(bento_tag, options);
      const own = await this.#servers.own(deployment_id, options.signal);
      const present = own.findLast((server) => server.installed);
      if (present !== undefined && present.bento_tag !== bento_tag) {
        throw new EndpointCreationError(
          `deployment ${deployment_id} already serves ${present.bento_tag}, not ${bento_tag}: stop it first`,
        );
      }
      const isBeside = input.beside === true && own.filter((server) => server.installed).length === 1;
      if (present !== undefined && !isBeside) return this.#adopt(input, present, options.signal);
      return this.#startNext(input, own, present, options.signal);
    });
    return { ...address, isolation: "pod" };
  }

  async stop(deploymentId: string, { signal, only_former = false }: StopOptions): Promise<void> {
    await this.#typed(deploymentId, signal, async () => {
      const all = await this.#servers.all(signal);
      const own = all.filter((server) => server.deployment_id === deploymentId);
      const present = own.filter(isThere).findLast((server) => server.installed);
      const ended = only_former
        ? own.filter((server) => present !== undefined && server.ordinal < present.ordinal)
        : own;
      await Promise.all(ended.map((server) => this.#servers.remove(server.seen.name, signal)));
    });
  }

  async observe(
    deploymentId: string,
    { signal, patience_ms = LIVENESS_TIMEOUT_MS }: ObserveOptions,
  ): Promise<ServerObservation> {
    return this.#typed(deploymentId, signal, async () => {
      const installed = (await this.#servers.own(deploymentId, signal)).filter((server) => server.installed);
      const server = installed.at(-1);
      if (server === undefined) return { state: "absent" };
      const condition = conditionOf(server.seen);
      if (condition.condition === "failed") return { state: "failed", reason: condition.reason };
      if (condition.condition === "starting") return { state: "starting" };
      const address = addressOf(server);
      if (condition.condition === "unresponsive") {
        return { state: "unresponsive", ...address, reason: condition.reason };
      }
      const bounded = AbortSignal.any([signal, AbortSignal.timeout(patience_ms)]);
      const said = await this.#awaited.health(server, bounded);
      if (said.health === "foreign") return { state: "failed", reason: said.reason };
      if (said.health !== "ready") return { state: "unresponsive", ...address, reason: said.reason };
      const replaced = installed.length > 1;
      return { state: "ready", ...address, bento_tag: server.bento_tag, ...(replaced && { replaced }) };
    });
  }

  async trySample(deploymentId: string, { signal }: CallOptions): Promise<SampleOutcome> {
    return this.#typed(deploymentId, signal, async () => {
      const server = (await this.#servers.own(deploymentId, signal)).findLast((one) => one.installed);
      if (server === undefined || conditionOf(server.seen).condition !== "running") return { sample: "none" };
      return this.#awaited.sample(server, signal);
    });
  }

  async handOver(...[from, to, { signal }]: Parameters<ModelServer["handOver"]>): Promise<boolean> {
    return this.#typed(from, signal, async () => {
      const server = (await this.#servers.own(from, signal)).findLast((one) => one.installed);
      const others = await this.#servers.own(to.deployment_id, signal);
      if (server?.bento_tag !== to.bento_tag || others.length > 0) return false;
      return this.#servers.mark(server, { deployment_id: to.deployment_id }, signal);
    });
  }

  async list(): Promise<string[]> {
    const servers = (await this.#servers.all(AbortSignal.timeout(LIVENESS_TIMEOUT_MS))).filter(isThere);
    return [...new Set(servers.map((server) => server.deployment_id))].sort();
  }

  async #startNext(
    input: StartServer,
    own: readonly SeenServer[],
    present: SeenServer | undefined,
    signal: AbortSignal,
  ): Promise<Address> {
    const { deployment_id, bento_tag, resources } = input;
    const begun = own.find((server) => !server.installed && server.bento_tag === bento_tag);
    const ordinal =
      begun?.ordinal ?? (await this.#servers.freeOrdinal(deployment_id, (present?.ordinal ?? 0) + 1, signal));
    const process = ordinal === 1 ? deployment_id : `${deployment_id}.${ordinal}`;
    const instance = await this.#servers.instanceFor(input, signal);
    const wanted = { deployment_id, process, bento_tag, ordinal, installed: false, instance, resources };
    const server = begun ?? (await this.#servers.make(wanted, signal));
    const address = await this.#awaited.untilReady(input, server.seen.name, signal);
    const ready = await this.#servers.named(server.seen.name, signal);
    if (ready === null) throw cannotServe(input, "somebody deleted its deployment");
    await this.#servers.mark(ready, { installed: true }, signal);
    return address;
  }

  async #adopt(input: StartServer, present: SeenServer, signal: AbortSignal): Promise<Address> {
    // The same again is another revision, which begins anew at the same address.
    if (conditionOf(present.seen).condition === "failed") await this.#servers.mark(present, {}, signal);
    return this.#awaited.untilReady(input, present.seen.name, signal, { isKept: true });
  }

  async #typed<T>(deploymentId: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    assertServedId(deploymentId);
    try {
      signal.throwIfAborted();
      return await work();
    } catch (error) {
      if (error instanceof AgentError || !signal.aborted) throw error;
      const message = `the server of ${deploymentId} gave ${noAnswer(signal, LIVENESS_TIMEOUT_MS)}`;
      throw new ServiceUnavailableError(BENTOCLOUD, message, { cause: error });
    }
  }
}
