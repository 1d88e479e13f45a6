import { z } from "zod";
import type {
  LoggedPrediction,
  PredictionLogs,
  ReadPredictions,
} from "../../../agents/model_deployer/ports/evidence/prediction_logs_port.ts";
import type { ReadOptions } from "../../../agents/model_deployer/ports/model_server_port.ts";
import { parsedJson } from "../../../platform/parsed_json.ts";
import type { KubernetesServer } from "./kubernetes_server.ts";

/** The newest lines that reading a pod begins with: older ones have no counterpart that is still waited for. */
const LINES_AT_FIRST = 2000;
const BYTES_AT_ONCE = 1024 * 1024;

/** By a pod's uid the time of the last line that was read of it. */
const positionSchema = z.record(z.string(), z.string());

/**
 * The prediction logs of a deployment's pods, whichever there are now. A pod that is gone took its last lines with it;
 * its predictions are missing from a comparison, and never counted twice.
 */
export class PodPredictionLogs implements PredictionLogs {
  readonly #server: Pick<KubernetesServer, "predictionPods" | "predictionLines">;
  readonly #predictionIn: (line: string) => LoggedPrediction[];

  /** @param predictionIn what one line of the log tells; nothing where it is not whole */
  constructor(
    server: Pick<KubernetesServer, "predictionPods" | "predictionLines">,
    predictionIn: (line: string) => LoggedPrediction[],
  ) {
    this.#server = server;
    this.#predictionIn = predictionIn;
  }

  async read(
    deploymentId: string,
    from: string | null,
    { signal, with_failures = false }: ReadOptions,
  ): Promise<ReadPredictions> {
    const known = positionSchema.safeParse(parsedJson(from ?? "{}")).data ?? {};
    const pods = await this.#server.predictionPods(deploymentId, signal);
    const read = await Promise.all(
      pods.map(async ({ name, uid }) => {
        const since = known[uid];
        const lines = await this.#newLines(deploymentId, name, since, signal);
        return { uid, last: lines.at(-1)?.time ?? since, lines };
      }),
    );
    const position = Object.fromEntries(
      read.flatMap(({ uid, last }) => (last === undefined ? [] : [[uid, last]])),
    );
    const predictions = read
      .flatMap(({ lines }) => lines.flatMap(({ line }) => this.#predictionIn(line)))
      .filter(({ has_failed }) => with_failures || has_failed !== true);
    return {
      predictions,
      position: Object.keys(position).length === 0 ? from : JSON.stringify(position),
    };
  }

  /** A time to begin at is cut to its second, so that the first bytes may all have been read before. */
  async #newLines(
    deploymentId: string,
    pod: string,
    since: string | undefined,
    signal: AbortSignal,
  ): Promise<LogLine[]> {
    for (let limit = BYTES_AT_ONCE; ; limit *= 4) {
      const part: Record<string, string> =
        since === undefined
          ? { tailLines: String(LINES_AT_FIRST) }
          : { sinceTime: since, limitBytes: String(limit) };
      const text = await this.#server.predictionLines(deploymentId, pod, part, signal);
      const lines = wholeLines(text).filter(({ time }) => since === undefined || time > since);
      if (lines.length > 0 || since === undefined || Buffer.byteLength(text) < limit) return lines;
    }
  }
}

interface LogLine {
  time: string;
  line: string;
}

/** Each line stands behind its time, `2026-01-31T08:30:00.123456789Z`; the last one may have been cut. */
function wholeLines(text: string): LogLine[] {
  return text
    .slice(0, text.lastIndexOf("\n") + 1)
    .split("\n")
    .flatMap((entry) => {
      const space = entry.indexOf(" ");
      return space === -1 ? [] : [{ time: entry.slice(0, space), line: entry.slice(space + 1) }];
    });
}
