import type { z } from "zod";
import type { Row } from "../../domain/evidence/kept_rows.ts";
import type { ReadOptions } from "../model_server_port.ts";

/** One request that a server answered. */
export interface LoggedPrediction {
  /** `x-request-id`: a mirrored request has the same as the one that it mirrors. */
  request_id: string;
  prediction: z.core.util.JSONType;
  score: number | null;
  /** When it began, ISO 8601, by the server's clock; left out by a log that does not say. */
  answered_at?: string;
  /** True where it answered with an error; such lines are read only by whoever asks for them. */
  has_failed?: boolean;
  /** The request's row, where the server keeps it. */
  row?: Row;
}

export interface ReadPredictions {
  predictions: LoggedPrediction[];
  /** The position to continue from; null while there is no log. */
  position: string | null;
}

export interface PredictionLogs {
  /** Some of the lines behind `from`, oldest first; null begins shortly before the newest. A deployment without a log has none. */
  read(deploymentId: string, from: string | null, options: ReadOptions): Promise<ReadPredictions>;
}
