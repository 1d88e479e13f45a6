import type { ContainmentPolicy } from "../../../platform/containment/containment.ts";
import type { LogBounds } from "../../../platform/processes/bounded_log.ts";

/** Limits of servers that are started from now on; a limit that is left out is that of `serving_limits.py`. */
export interface ServingLimits {
  predictionThreads?: number;
  /** Requests that may wait for a free prediction thread. */
  predictionQueue?: number;
  /** Seconds from a complete request to its answer. */
  predictionSeconds?: number;
  /** Seconds in which a request's body has to arrive. */
  bodySeconds?: number;
  logs?: LogBounds;
  /** Nothing is contained unless given. */
  containment?: ContainmentPolicy;
}

/** The limits as the bento's server reads them. */
export function limitsEnvironment(limits: ServingLimits): Record<string, string> {
  const given = {
    PREDICTION_THREADS: limits.predictionThreads,
    PREDICTION_QUEUE: limits.predictionQueue,
    PREDICTION_SECONDS: limits.predictionSeconds,
    BODY_SECONDS: limits.bodySeconds,
    LOG_BYTES: limits.logs?.bytes,
    LOG_FILES: limits.logs?.files,
  };
  return Object.fromEntries(
    Object.entries(given).flatMap(([name, value]) =>
      value === undefined ? [] : [[`MODEL_DEPLOYER_${name}`, String(value)]],
    ),
  );
}
