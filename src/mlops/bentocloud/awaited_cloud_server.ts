import { setTimeout as delay } from "node:timers/promises";
import { EndpointCreationError } from "../../agents/model_deployer/errors.ts";
import {
  LIVENESS_TIMEOUT_MS,
  type SampleOutcome,
  type StartServer,
} from "../../agents/model_deployer/ports/model_server_port.ts";
import type { BentoProbe, ExpectedBento } from "../shared/bento_probe.ts";
import { type Address, addressOf } from "./cloud_address.ts";
import { type CloudCondition, conditionOf } from "./cloud_condition.ts";
import type { CloudServer, SeenServer } from "./cloud_objects.ts";
import type { CloudServers } from "./cloud_servers.ts";

/** Images are built by the platform, which takes minutes. */
const BUILDING_SECONDS = 3600;

type Look = { address: Address } | { failed: boolean; reason: string };

/** Waits for a server, and asks it who it is. */
export class AwaitedCloudServer {
  readonly #servers: Pick<CloudServers, "named" | "remove">;
  readonly #probeAt: (url: string) => BentoProbe;
  readonly #startSeconds: number;
  readonly #pollMs: number;

  constructor(
    servers: Pick<CloudServers, "named" | "remove">,
    probeAt: (url: string) => BentoProbe,
    { startSeconds, pollMs }: { startSeconds: number; pollMs: number },
  ) {
    this.#servers = servers;
    this.#probeAt = probeAt;
    this.#startSeconds = startSeconds;
    this.#pollMs = pollMs;
  }

  health(server: SeenServer, signal: AbortSignal): ReturnType<BentoProbe["health"]> {
    return this.#probe(server).health(expectedOf(server), signal);
  }

  sample(server: SeenServer, signal: AbortSignal): Promise<SampleOutcome> {
    return this.#probe(server).sample(expectedOf(server), signal);
  }

  /** A server that fails is removed, unless it is kept. @throws EndpointCreationError */
  async untilReady(
    input: StartServer,
    name: string,
    signal: AbortSignal,
    { isKept = false }: { isKept?: boolean } = {},
  ): Promise<Address> {
    const failed = async (reason: string) => {
      if (!isKept) await this.#servers.remove(name, signal);
      return cannotServe(input, reason);
    };
    const began = performance.now();
    let builtAt = began;
    for (;;) {
      const server = await this.#servers.named(name, signal);
      if (server === null) throw cannotServe(input, "somebody deleted its deployment");
      const condition = conditionOf(server.seen);
      const look = await this.#look(input, server, condition, signal);
      if ("address" in look) return look.address;
      if (look.failed) throw await failed(look.reason);
      const now = performance.now();
      if (condition.condition === "starting" && condition.isBuilding) builtAt = now;
      if (this.#isLate(began, builtAt, now)) {
        const limit = `MODEL_DEPLOYER_START_SECONDS=${this.#startSeconds}`;
        throw await failed(`not ready within ${limit}: ${look.reason}`);
      }
      await delay(this.#pollMs, undefined, { signal });
    }
  }

  #isLate(began: number, builtAt: number, now: number): boolean {
    const start = this.#startSeconds * 1000;
    return now - builtAt > start || now - began > BUILDING_SECONDS * 1000 + start;
  }

  async #look(
    { served_before = false }: StartServer,
    server: SeenServer,
    condition: CloudCondition,
    signal: AbortSignal,
  ): Promise<Look> {
    if (condition.condition === "failed") return { failed: true, reason: condition.reason };
    if (condition.condition !== "running") return { failed: false, reason: condition.reason };
    const bounded = AbortSignal.any([signal, AbortSignal.timeout(LIVENESS_TIMEOUT_MS)]);
    const said = await this.health(server, bounded);
    if (said.health !== "ready") return { failed: said.health === "foreign", reason: said.reason };
    if (served_before) return { address: addressOf(server) };
    const outcome = await this.sample(server, bounded);
    signal.throwIfAborted();
    return outcome.sample === "failed"
      ? { failed: true, reason: outcome.reason }
      : { address: addressOf(server) };
  }

  #probe(server: SeenServer): BentoProbe {
    return this.#probeAt(server.seen.urls[0] ?? "");
  }
}

const expectedOf = ({ process, bento_tag }: CloudServer): ExpectedBento => ({
  process,
  bento_tag,
  port: 443,
});

export function cannotServe(
  { deployment_id, bento_tag }: StartServer,
  reason: string,
): EndpointCreationError {
  return new EndpointCreationError(`${bento_tag} cannot be served for ${deployment_id}: ${reason}`, {
    details: { deployment_id, bento_tag, reason },
  });
}
