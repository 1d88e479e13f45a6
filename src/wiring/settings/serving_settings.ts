import { z } from "zod";
import { PREDICTION_QUEUE, PREDICTION_SECONDS } from "../../agents/model_deployer/ports/model_server_port.ts";
import { defaultLogBounds, type LogBounds } from "../../platform/processes/bounded_log.ts";

export const servingVariables = {
  MODEL_DEPLOYER_PREDICTION_SECONDS: z.coerce.number().min(0.1).max(3600).default(PREDICTION_SECONDS),
  MODEL_DEPLOYER_PREDICTION_QUEUE: z.coerce.number().int().min(0).max(10_000).default(PREDICTION_QUEUE),
  MODEL_DEPLOYER_BODY_SECONDS: z.coerce.number().min(0.1).max(3600).default(30),
  MODEL_DEPLOYER_LOG_BYTES: z.coerce
    .number()
    .int()
    .min(65_536)
    .max(1_073_741_824)
    .default(defaultLogBounds.bytes),
  MODEL_DEPLOYER_LOG_FILES: z.coerce.number().int().min(1).max(20).default(defaultLogBounds.files),
};
type Values = z.infer<z.ZodObject<typeof servingVariables>>;

export interface ServingSettings {
  /** Limits of servers that are started from now on. */
  serving: { predictionSeconds: number; predictionQueue: number; bodySeconds: number };
  /** Bounds of each process's log. */
  logs: LogBounds;
}

export function servingOf(values: Values): ServingSettings {
  return {
    serving: {
      predictionSeconds: values.MODEL_DEPLOYER_PREDICTION_SECONDS,
      predictionQueue: values.MODEL_DEPLOYER_PREDICTION_QUEUE,
      bodySeconds: values.MODEL_DEPLOYER_BODY_SECONDS,
    },
    logs: { bytes: values.MODEL_DEPLOYER_LOG_BYTES, files: values.MODEL_DEPLOYER_LOG_FILES },
  };
}
