import { EndpointCreationError, MemoryShortError } from "../../../agents/model_deployer/errors.ts";
import type { CallOptions } from "../../../agents/model_deployer/ports/call_options.ts";
import type { ModelPackager } from "../../../agents/model_deployer/ports/model_packager_port.ts";
import type {
  LimitsState,
  ReplicaUsage,
  SampleOutcome,
  SamplePredictions,
  ServerObservation,
  StartedServer,
  StartServer,
  StopOptions,
} from "../../../agents/model_deployer/ports/model_server_port.ts";
import { cannotServe, host, observationOf, type ServerEntry as Server } from "./server_entry.ts";
import { parseBentoTag } from "../../../mlops/bentoml/bento_tag.ts";
import { assertDeploymentId } from "../../../mlops/bentoml/servers/server_record.ts";
import { ServerFaults } from "./server_faults.ts";
import type { SingleServers } from "../../../mlops/replicas/replicated_server.ts";
import { deploymentOf, formerOf, replicaNumber } from "../../../mlops/replicas/server_names.ts";

/** Servers that only exist as entries, one for each name. */
export class InMemorySingleServers implements SingleServers, SamplePredictions {
  /** Deployment ids in the order in which servers were really started; adopted ones are not among them. */
  readonly started: string[] = [];
  readonly faults: ServerFaults;
  readonly #packager: Pick<ModelPackager, "findPackage">;
  readonly #servers = new Map<string, Server>();
  /** Servers that another one was started beside, until they are stopped. */
  readonly #former = new Map<string, Server>();
  readonly #used = new Map<string, Pick<ReplicaUsage, "memory_bytes" | "cpu_seconds">>();
  #nextPort = 40_001;

  constructor(packager: Pick<ModelPackager, "findPackage">, faults = new ServerFaults()) {
    this.#packager = packager;
    this.faults = faults;
  }

  async start(input: StartServer, { signal }: CallOptions): Promise<StartedServer> {
    const { deployment_id, bento_tag } = input;
    parseBentoTag(bento_tag);
    if ((await this.#packager.findPackage(bento_tag)) === null) {
      throw new EndpointCreationError(`bento ${bento_tag} is not in the store: package the model first`);
    }
    this.faults.assertAnswers(deployment_id, signal);
    assertDeploymentId(deployment_id);
    const present = this.#servers.get(deployment_id);
    if (present !== undefined && present.state !== "ended") {
      const isBeside = input.beside === true && !this.#former.has(deployment_id);
      return isBeside ? this.#startBeside(present, input) : this.#adopt(present, input);
    }
    const reason = this.faults.problemOf(input);
    if (reason !== null) {
      this.#servers.delete(deployment_id);
      throw cannotServe(deployment_id, bento_tag, reason);
    }
    const port = present?.port ?? this.#nextPort++;
    this.#servers.set(deployment_id, { bento_tag, port, state: "running", reason: "" });
    this.started.push(deployment_id);
    return { host, port, isolation: "none" };
  }

  async stop(deploymentId: string, { signal, only_former = false }: StopOptions): Promise<void> {
    this.faults.assertAnswers(deploymentId, signal);
    assertDeploymentId(deploymentId);
    this.#former.delete(deploymentId);
    if (only_former) return;
    this.#servers.delete(deploymentId);
  }

  async observe(deploymentId: string, { signal }: CallOptions): Promise<ServerObservation> {
    this.faults.assertAnswers(deploymentId, signal);
    assertDeploymentId(deploymentId);
    const server = this.#servers.get(deploymentId);
    if (server === undefined) return { state: "absent" };
    return observationOf(server, this.#former.has(deploymentId));
  }

  async handOver(
    from: string,
    to: { deployment_id: string; bento_tag: string },
    { signal }: CallOptions,
  ): Promise<boolean> {
    this.faults.assertAnswers(from, signal);
    assertDeploymentId(from);
    assertDeploymentId(to.deployment_id);
    const server = this.#servers.get(from);
    if (server === undefined || server.state === "ended" || server.bento_tag !== to.bento_tag) return false;
    if (this.#servers.has(to.deployment_id)) return false;
    this.#servers.delete(from);
    this.#servers.set(to.deployment_id, server);
    return true;
  }

  async trySample(deploymentId: string, { signal }: CallOptions): Promise<SampleOutcome> {
    this.faults.assertAnswers(deploymentId, signal);
    const reason = this.faults.sampleFailure;
    return reason === null ? { sample: "answered" } : { sample: "failed", reason };
  }

  async list(): Promise<string[]> {
    return [...this.#servers].filter(([, server]) => server.state !== "ended").map(([id]) => id);
  }

  async namesOf(deploymentId: string): Promise<string[]> {
    assertDeploymentId(deploymentId);
    const names = [...this.#servers.keys(), ...[...this.#former.keys()].map(formerOf)];
    return names.filter((name) => deploymentOf(name) === deploymentId);
  }

  async retire(name: string): Promise<void> {
    const server = this.#servers.get(name);
    if (server !== undefined) this.#former.set(name, server);
    this.#servers.delete(name);
  }

  async assertRoomFor(name: string): Promise<void> {
    if (!this.faults.hasRoomForTwo)
      throw new MemoryShortError(`There is memory for one server of ${name}; free some.`);
  }

  async usage(deploymentId: string, { signal }: CallOptions): Promise<ReplicaUsage[]> {
    this.faults.assertAnswers(deploymentId, signal);
    const names = [...this.#servers].filter(
      ([name, { state }]) => deploymentOf(name) === deploymentId && state !== "ended",
    );
    return names.map(([name, { port }]) => {
      const used = this.#used.get(name) ?? { memory_bytes: 0, cpu_seconds: 0 };
      return {
        replica: replicaNumber(name),
        ...used,
        run: `${name}:${port}`,
        age_seconds: 3600,
        out_of_memory: 0,
        throttled_seconds: null,
      };
    });
  }

  async limits(deploymentId: string, { signal }: CallOptions): Promise<LimitsState> {
    this.faults.assertAnswers(deploymentId, signal);
    return { enforced: false, reason: "servers in memory are no processes" };
  }

  use(name: string, used: Pick<ReplicaUsage, "memory_bytes" | "cpu_seconds">): void {
    this.#used.set(name, used);
  }

  /** As if the server's processes had been killed. */
  crash(deploymentId: string, reason = "its process has ended: its log names no error"): void {
    this.#change(deploymentId, { state: "ended", reason });
  }

  /** The processes run, but nothing is answered any more. */
  hang(deploymentId: string, reason = "does not answer: The operation was aborted due to timeout"): void {
    this.#change(deploymentId, { state: "hanging", reason });
  }

  /** A server that hangs answers again. */
  wake(deploymentId: string): void {
    this.#change(deploymentId, { state: "running", reason: "" });
  }

  /** The same servers, which go their own ways from here on. */
  copy(packager: Pick<ModelPackager, "findPackage">): InMemorySingleServers {
    const copy = new InMemorySingleServers(packager, this.faults.copy());
    for (const [id, server] of this.#servers) copy.#servers.set(id, { ...server });
    for (const [id, server] of this.#former) copy.#former.set(id, { ...server });
    copy.#nextPort = this.#nextPort;
    return copy;
  }

  async #startBeside(present: Server, input: StartServer): Promise<StartedServer> {
    const { deployment_id, bento_tag } = input;
    const problem = this.faults.problemOf(input);
    if (problem !== null) throw cannotServe(deployment_id, bento_tag, problem);
    await this.assertRoomFor(deployment_id);
    const port = this.#nextPort++;
    this.#former.set(deployment_id, present);
    this.#used.delete(deployment_id);
    this.#servers.set(deployment_id, { bento_tag, port, state: "running", reason: "" });
    this.started.push(deployment_id);
    return { host, port, isolation: "none" };
  }

  /** Whatever comes of it, the server runs on. */
  #adopt(present: Server, input: StartServer): StartedServer {
    const { deployment_id, bento_tag } = input;
    if (present.bento_tag !== bento_tag) {
      throw new EndpointCreationError(
        `deployment ${deployment_id} already serves ${present.bento_tag}, not ${bento_tag}: stop it first`,
      );
    }
    const problem = present.state === "running" ? this.faults.sampleProblem(input) : present.reason;
    if (problem === null) return { host, port: present.port, isolation: "none" };
    throw cannotServe(deployment_id, bento_tag, problem);
  }

  #change(deploymentId: string, change: Pick<Server, "state" | "reason">): void {
    const server = this.#servers.get(deploymentId);
    if (server !== undefined) this.#servers.set(deploymentId, { ...server, ...change });
  }
}
