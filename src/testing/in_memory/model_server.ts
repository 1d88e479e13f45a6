import { EndpointCreationError, ServiceUnavailableError } from "../../agents/model_deployer/errors.ts";
import type {
  CallOptions,
  ModelPackager,
  ModelServer,
  ServerObservation,
  StartServer,
  StopOptions,
} from "../../agents/model_deployer/ports.ts";
import { parseBentoTag } from "../../mlops/bentoml/bento_tag.ts";
import { assertDeploymentId } from "../../mlops/bentoml/server_record.ts";

interface Server {
  bento_tag: string;
  port: number;
  state: "running" | "hanging" | "ended";
  reason: string;
}

const host = "127.0.0.1";

/**
 * Servers that only exist as entries. It refuses what the real one refuses: a bento that is not in the store, a
 * deployment that serves another tag, ids that cannot name a process, and models that a test names as broken.
 */
export class InMemoryModelServer implements ModelServer {
  /** Deployment ids in the order in which servers were really started; adopted ones are not among them. */
  readonly started: string[] = [];
  readonly #packager: Pick<ModelPackager, "findPackage">;
  readonly #servers = new Map<string, Server>();
  /** Servers that another one was started beside, until they are stopped. */
  readonly #former = new Map<string, Server>();
  readonly #broken = new Map<string, string>();
  #nextPort = 40_001;
  #isDown = false;
  #samplesFail: string | null = null;

  constructor(packager: Pick<ModelPackager, "findPackage">) {
    this.#packager = packager;
  }

  async start(input: StartServer, { signal }: CallOptions): Promise<{ host: string; port: number }> {
    const { deployment_id, bento_tag } = input;
    parseBentoTag(bento_tag);
    if ((await this.#packager.findPackage(bento_tag)) === null) {
      throw new EndpointCreationError(`bento ${bento_tag} is not in the store: package the model first`);
    }
    this.#assertAnswers(deployment_id, signal);
    assertDeploymentId(deployment_id);
    const present = this.#servers.get(deployment_id);
    if (present !== undefined && present.state !== "ended") {
      const isBeside = input.beside === true && !this.#former.has(deployment_id);
      return isBeside ? this.#startBeside(present, input) : this.#adopt(present, input);
    }
    const reason = this.#broken.get(bento_tag) ?? this.#sampleProblem(input);
    if (reason !== null) {
      this.#servers.delete(deployment_id);
      throw cannotServe(deployment_id, bento_tag, reason);
    }
    const port = present?.port ?? this.#nextPort++;
    this.#servers.set(deployment_id, { bento_tag, port, state: "running", reason: "" });
    this.started.push(deployment_id);
    return { host, port };
  }

  async stop(deploymentId: string, { signal, only_former = false }: StopOptions): Promise<void> {
    this.#assertAnswers(deploymentId, signal);
    assertDeploymentId(deploymentId);
    this.#former.delete(deploymentId);
    if (only_former) return;
    this.#servers.delete(deploymentId);
  }

  async observe(deploymentId: string, { signal }: CallOptions): Promise<ServerObservation> {
    this.#assertAnswers(deploymentId, signal);
    assertDeploymentId(deploymentId);
    const server = this.#servers.get(deploymentId);
    if (server === undefined) return { state: "absent" };
    const { bento_tag, port, reason } = server;
    switch (server.state) {
      case "running":
        return {
          state: "ready",
          host,
          port,
          bento_tag,
          ...(this.#former.has(deploymentId) && { replaced: true }),
        };
      case "hanging":
        return { state: "unresponsive", reason };
      case "ended":
        return { state: "failed", reason };
      default:
        return server.state satisfies never;
    }
  }

  async handOver(
    from: string,
    to: { deployment_id: string; bento_tag: string },
    { signal }: CallOptions,
  ): Promise<boolean> {
    this.#assertAnswers(from, signal);
    assertDeploymentId(from);
    assertDeploymentId(to.deployment_id);
    const server = this.#servers.get(from);
    if (server === undefined || server.state === "ended" || server.bento_tag !== to.bento_tag) return false;
    if (this.#servers.has(to.deployment_id)) return false;
    this.#servers.delete(from);
    this.#servers.set(to.deployment_id, server);
    return true;
  }

  async list(): Promise<string[]> {
    return [...this.#servers].filter(([, server]) => server.state !== "ended").map(([id]) => id);
  }

  /** From now on a server of this bento never becomes ready, for that reason. */
  breakModel(bentoTag: string, reason: string): void {
    this.#broken.set(bentoTag, reason);
  }

  /** As if the server's processes had been killed. */
  crash(deploymentId: string, reason = "its process has ended: its log names no error"): void {
    this.#change(deploymentId, { state: "ended", reason });
  }

  /** The processes run, but nothing is answered any more. */
  hang(deploymentId: string, reason = "does not answer: The operation was aborted due to timeout"): void {
    this.#change(deploymentId, { state: "hanging", reason });
  }

  /** What all models ask is away: samples fail for that reason, and servers run on. Null brings it back. */
  failSamples(reason: string | null): void {
    this.#samplesFail = reason;
  }

  /** A server that hangs answers again. */
  wake(deploymentId: string): void {
    this.#change(deploymentId, { state: "running", reason: "" });
  }

  /** Every call fails, until `up()`; the servers themselves run on. */
  down(): void {
    this.#isDown = true;
  }

  up(): void {
    this.#isDown = false;
  }

  #startBeside(present: Server, input: StartServer): { host: string; port: number } {
    const { deployment_id, bento_tag } = input;
    const problem = this.#broken.get(bento_tag) ?? this.#sampleProblem(input);
    if (problem !== null) throw cannotServe(deployment_id, bento_tag, problem);
    const port = this.#nextPort++;
    this.#former.set(deployment_id, present);
    this.#servers.set(deployment_id, { bento_tag, port, state: "running", reason: "" });
    this.started.push(deployment_id);
    return { host, port };
  }

  /** Whatever comes of it, the server runs on. */
  #adopt(present: Server, input: StartServer): { host: string; port: number } {
    const { deployment_id, bento_tag } = input;
    if (present.bento_tag !== bento_tag) {
      throw new EndpointCreationError(
        `deployment ${deployment_id} already serves ${present.bento_tag}, not ${bento_tag}: stop it first`,
      );
    }
    const problem = present.state === "running" ? this.#sampleProblem(input) : present.reason;
    if (problem === null) return { host, port: present.port };
    throw cannotServe(deployment_id, bento_tag, problem);
  }

  #sampleProblem({ served_before }: StartServer): string | null {
    return served_before === true ? null : this.#samplesFail;
  }

  #change(deploymentId: string, change: Pick<Server, "state" | "reason">): void {
    const server = this.#servers.get(deploymentId);
    if (server !== undefined) this.#servers.set(deploymentId, { ...server, ...change });
  }

  #assertAnswers(deploymentId: string, signal: AbortSignal): void {
    if (!this.#isDown && !signal.aborted) return;
    throw new ServiceUnavailableError("bentoml", `the deadline passed while ${deploymentId} was asked for`, {
      cause: signal.reason,
    });
  }
}

function cannotServe(deploymentId: string, bentoTag: string, reason: string): EndpointCreationError {
  return new EndpointCreationError(`${bentoTag} cannot be served for ${deploymentId}: ${reason}`, {
    details: { deployment_id: deploymentId, bento_tag: bentoTag, reason },
  });
}
