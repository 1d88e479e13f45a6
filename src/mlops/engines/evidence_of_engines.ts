import { ServerNotReadyError } from "../../agents/model_deployer/errors.ts";
import type {
  KeptRowSettings,
  Row,
  RowAnswer,
} from "../../agents/model_deployer/domain/evidence/kept_rows.ts";
import type { CallOptions } from "../../agents/model_deployer/ports/call_options.ts";
import type {
  LimitsState,
  ReadOptions,
  ReplicaUsage,
  ServerUsage,
} from "../../agents/model_deployer/ports/model_server_port.ts";
import type {
  PredictionLogs,
  ReadPredictions,
} from "../../agents/model_deployer/ports/evidence/prediction_logs_port.ts";
import type { RowServers } from "../../agents/model_deployer/ports/evidence/row_ports.ts";
import type { ByEngine } from "./by_engine.ts";

/** Each deployment's log, on the engine that it was made on. */
export class PredictionLogsOfEngines implements PredictionLogs {
  readonly #logs: ByEngine<PredictionLogs>;

  constructor(logs: ByEngine<PredictionLogs>) {
    this.#logs = logs;
  }

  async read(deploymentId: string, from: string | null, options: ReadOptions): Promise<ReadPredictions> {
    return (await this.#logs.of(deploymentId)).read(deploymentId, from, options);
  }
}

/** Measures servers where their engine does; of others nothing is known. */
export class UsageOfEngines implements ServerUsage {
  readonly #usage: ByEngine<ServerUsage>;

  constructor(usage: ByEngine<ServerUsage>) {
    this.#usage = usage;
  }

  async usage(deploymentId: string, options: CallOptions): Promise<ReplicaUsage[] | null> {
    return (await (await this.#usage.find(deploymentId))?.usage(deploymentId, options)) ?? null;
  }

  async limits(deploymentId: string, options: CallOptions): Promise<LimitsState | null> {
    return (await (await this.#usage.find(deploymentId))?.limits(deploymentId, options)) ?? null;
  }

  /** Of the engines that are measured. */
  async cores(options: CallOptions): Promise<number> {
    const each = await Promise.all([...this.#usage.parts.values()].map((one) => one.cores(options)));
    return each.reduce((sum, cores) => sum + cores, 0);
  }
}

/** Rows are kept where the deployment's engine keeps them; no other server logs any. */
export class RowServersOfEngines implements RowServers {
  readonly #servers: ByEngine<RowServers>;

  constructor(servers: ByEngine<RowServers>) {
    this.#servers = servers;
  }

  async takesRows(deploymentId: string): Promise<boolean> {
    return (await this.#servers.find(deploymentId)) !== null;
  }

  async keepRows(
    deploymentId: string,
    settings: KeptRowSettings | null,
    options: CallOptions,
  ): Promise<void> {
    await (await this.#servers.find(deploymentId))?.keepRows(deploymentId, settings, options);
  }

  async predictRow(deploymentId: string, row: Row, options: CallOptions): Promise<RowAnswer> {
    const server = await this.#servers.find(deploymentId);
    if (server !== null) return server.predictRow(deploymentId, row, options);
    const engine = await this.#servers.engineOf(deploymentId);
    throw new ServerNotReadyError(
      `${deploymentId} runs on ${engine}, whose servers take no rows past the router.`,
    );
  }
}
