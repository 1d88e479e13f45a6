import { ServiceUnavailableError } from "../../agents/model_deployer/errors.ts";
import type {
  LoggedPrediction,
  PredictionLogs,
  ReadPredictions,
} from "../../agents/model_deployer/ports/evidence/prediction_logs_port.ts";
import type { ReadOptions } from "../../agents/model_deployer/ports/model_server_port.ts";

/** At most so many lines are read at once, as the real logs are read piece by piece. */
const LINES_AT_ONCE = 500;

/** Logs in memory; a line that a test writes counts as an answer of the deployment. */
export class InMemoryPredictionLogs implements PredictionLogs {
  readonly #logs = new Map<string, LoggedPrediction[]>();

  async read(
    deploymentId: string,
    from: string | null,
    { signal, with_failures = false }: ReadOptions,
  ): Promise<ReadPredictions> {
    if (signal.aborted) {
      const message = `the deadline passed before the log of ${deploymentId} was read`;
      throw new ServiceUnavailableError("prediction logs", message, { cause: signal.reason });
    }
    const log = this.#logs.get(deploymentId);
    if (log === undefined) return { predictions: [], position: from };
    const start = Number(from ?? 0);
    const lines = structuredClone(log.slice(start, start + LINES_AT_ONCE));
    const predictions = lines.filter(({ has_failed }) => with_failures || has_failed !== true);
    return { predictions, position: String(start + lines.length) };
  }

  write(deploymentId: string, ...predictions: LoggedPrediction[]): void {
    this.#logs.set(deploymentId, [...(this.#logs.get(deploymentId) ?? []), ...predictions]);
  }
}
