import { availableParallelism } from "node:os";
import type { CallOptions } from "../../agents/model_deployer/ports/call_options.ts";
import type {
  LimitsState,
  ReplicaUsage,
  SampleOutcome,
  SamplePredictions,
  ServerUsage,
} from "../../agents/model_deployer/ports/model_server_port.ts";
import type {
  KeptRowSettings,
  Row,
  RowAnswer,
} from "../../agents/model_deployer/domain/evidence/kept_rows.ts";
import type { RowServers } from "../../agents/model_deployer/ports/evidence/row_ports.ts";
import { ServerNotReadyError } from "../../agents/model_deployer/errors.ts";
import { ReplicatedServer } from "../replicas/replicated_server.ts";
import { configureKeptRows } from "./servers/kept_rows_file.ts";
import type { BentoMLServerOptions } from "./servers/server_options.ts";
import { ServerProbe } from "./servers/server_probe.ts";
import type { PredictionLogFile } from "./servers/servers_of_deployment.ts";
import { SingleBentoMLServers } from "./servers/single_servers.ts";

/** Serves bentos on this machine, one process a replica, each in its model's environment. */
export class BentoMLServer extends ReplicatedServer implements SamplePredictions, ServerUsage, RowServers {
  readonly #servers: SingleBentoMLServers;
  readonly #rows = new ServerProbe();

  constructor(options: BentoMLServerOptions) {
    const servers = new SingleBentoMLServers(options);
    super(servers);
    this.#servers = servers;
  }

  /** As `SingleBentoMLServers.wake`. */
  wake(deploymentId: string, options: CallOptions): Promise<boolean> {
    return this.#servers.wake(deploymentId, options);
  }

  trySample(deploymentId: string, options: CallOptions): Promise<SampleOutcome> {
    return this.#servers.trySample(deploymentId, options);
  }

  async takesRows(): Promise<boolean> {
    return true;
  }

  async keepRows(deploymentId: string, settings: KeptRowSettings | null): Promise<void> {
    const logs = await this.predictionLogFiles(deploymentId);
    await Promise.all(logs.map(({ path }) => configureKeptRows(path, settings)));
  }

  async predictRow(deploymentId: string, row: Row, { signal }: CallOptions): Promise<RowAnswer> {
    const record = await this.#servers.recordOf(deploymentId);
    if (record !== null) return this.#rows.row(record, row, signal);
    throw new ServerNotReadyError(`no server of ${deploymentId} runs here; deploy it first.`);
  }

  usage(deploymentId: string, options: CallOptions): Promise<ReplicaUsage[]> {
    return this.#servers.usage(deploymentId, options);
  }

  limits(deploymentId: string, options: CallOptions): Promise<LimitsState> {
    return this.#servers.limits(deploymentId, options);
  }

  async cores(): Promise<number> {
    return availableParallelism();
  }

  /** Where each server of the deployment logs its predictions, the first one first. */
  async predictionLogFiles(deploymentId: string): Promise<PredictionLogFile[]> {
    return this.#servers.predictionLogFiles(deploymentId);
  }

  /** Ends idle connections; the servers run on. */
  async close(): Promise<void> {
    await Promise.all([this.#servers.close(), this.#rows.close()]);
  }
}
