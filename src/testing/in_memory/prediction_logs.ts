import { ServiceUnavailableError } from "../../agents/model_deployer/errors.ts";
import type {
  CallOptions,
  LoggedPrediction,
  PredictionLogs,
  ReadPredictions,
} from "../../agents/model_deployer/ports.ts";

/** At most so many lines are read at once, as the real logs are read piece by piece. */
const LINES_AT_ONCE = 500;

/** Logs in memory; what a test writes is what the deployment is taken to have answered. */
export class InMemoryPredictionLogs implements PredictionLogs {
  readonly #logs = new Map<string, LoggedPrediction[]>();

  async read(deploymentId: string, from: string | null, { signal }: CallOptions): Promise<ReadPredictions> {
    if (signal.aborted) {
      const message = `the deadline passed before the log of ${deploymentId} was read`;
      throw new ServiceUnavailableError("prediction logs", message, { cause: signal.reason });
    }
    const log = this.#logs.get(deploymentId);
    if (log === undefined) return { predictions: [], position: from };
    const start = Number(from ?? 0);
    const predictions = structuredClone(log.slice(start, start + LINES_AT_ONCE));
    return { predictions, position: String(start + predictions.length) };
  }

  write(deploymentId: string, ...predictions: LoggedPrediction[]): void {
    this.#logs.set(deploymentId, [...(this.#logs.get(deploymentId) ?? []), ...predictions]);
  }
}
