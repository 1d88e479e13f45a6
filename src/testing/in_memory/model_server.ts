import type { CallOptions } from "../../agents/model_deployer/ports/call_options.ts";
import type { ModelPackager } from "../../agents/model_deployer/ports/model_packager_port.ts";
import type {
  LimitsState,
  ReplicaUsage,
  SampleOutcome,
  SamplePredictions,
  ServerUsage,
} from "../../agents/model_deployer/ports/model_server_port.ts";
import { ServerNotReadyError } from "../../agents/model_deployer/errors.ts";
import type {
  KeptRowSettings,
  Row,
  RowAnswer,
} from "../../agents/model_deployer/domain/evidence/kept_rows.ts";
import type { RowServers } from "../../agents/model_deployer/ports/evidence/row_ports.ts";
import { ReplicatedServer } from "../../mlops/replicas/replicated_server.ts";
import { InMemorySingleServers } from "./servers/single_servers_in_memory.ts";

/**
 * Servers that only exist as entries. It refuses what the real one refuses: a bento that is not in the store, a
 * deployment that serves another tag, ids that cannot name a process, and models that a test names as broken. Further
 * servers of a deployment are named `<deployment>.replica-2` and so on.
 */
export class InMemoryModelServer
  extends ReplicatedServer
  implements SamplePredictions, ServerUsage, RowServers
{
  readonly #servers: InMemorySingleServers;

  constructor(
    packager: Pick<ModelPackager, "findPackage">,
    servers: InMemorySingleServers = new InMemorySingleServers(packager),
  ) {
    super(servers);
    this.#servers = servers;
  }

  /** How each deployment was told to keep rows; none where it was told to end. */
  readonly keeping = new Map<string, KeptRowSettings>();
  #answering: (deploymentId: string, row: Row) => RowAnswer = () => ({ status: 200, body: "{}" });

  async takesRows(): Promise<boolean> {
    return true;
  }

  async keepRows(deploymentId: string, settings: KeptRowSettings | null): Promise<void> {
    if (settings === null) this.keeping.delete(deploymentId);
    else this.keeping.set(deploymentId, settings);
  }

  async predictRow(deploymentId: string, row: Row, options: CallOptions): Promise<RowAnswer> {
    const { state } = await this.observe(deploymentId, options);
    if (state !== "ready") throw new ServerNotReadyError(`no server of ${deploymentId} takes the row`);
    return this.#answering(deploymentId, row);
  }

  /** From now on rows that are sent to a deployment are answered so. */
  answerRows(answering: (deploymentId: string, row: Row) => RowAnswer): void {
    this.#answering = answering;
  }

  /** Names of servers in the order in which they were really started; adopted ones are not among them. */
  get started(): string[] {
    return this.#servers.started;
  }

  trySample(deploymentId: string, options: CallOptions): Promise<SampleOutcome> {
    return this.#servers.trySample(deploymentId, options);
  }

  usage(deploymentId: string, options: CallOptions): Promise<ReplicaUsage[]> {
    return this.#servers.usage(deploymentId, options);
  }

  limits(deploymentId: string, options: CallOptions): Promise<LimitsState> {
    return this.#servers.limits(deploymentId, options);
  }

  async cores(): Promise<number> {
    return 16;
  }

  /** Sets how much the server of this name has used so far. */
  use(name: string, used: Pick<ReplicaUsage, "memory_bytes" | "cpu_seconds">): void {
    this.#servers.use(name, used);
  }

  /** From now on a server of this bento never becomes ready, for that reason. */
  breakModel(bentoTag: string, reason: string): void {
    this.#servers.faults.breakModel(bentoTag, reason);
  }

  /** A bento that was broken can be served again. */
  mendModel(bentoTag: string): void {
    this.#servers.faults.mendModel(bentoTag);
  }

  /** As if the server's processes had been killed. */
  crash(name: string, reason?: string): void {
    this.#servers.crash(name, reason);
  }

  /** The processes run, but nothing is answered any more. */
  hang(name: string, reason?: string): void {
    this.#servers.hang(name, reason);
  }

  /** The upstream of all models is away: samples fail for that reason, and servers run on. Null brings it back. */
  failSamples(reason: string | null): void {
    this.#servers.faults.failSamples(reason);
  }

  /** A server that hangs answers again. */
  wake(name: string): void {
    this.#servers.wake(name);
  }

  /** From now on no server is started beside another one, for the lack of memory. */
  leaveRoomForOne(): void {
    this.#servers.faults.leaveRoomForOne();
  }

  /** Every call fails, until `up()`; the servers themselves run on. */
  down(): void {
    this.#servers.faults.down();
  }

  up(): void {
    this.#servers.faults.up();
  }

  /** The same servers, which go their own ways from here on. */
  copy(packager: Pick<ModelPackager, "findPackage">): InMemoryModelServer {
    return new InMemoryModelServer(packager, this.#servers.copy(packager));
  }
}
