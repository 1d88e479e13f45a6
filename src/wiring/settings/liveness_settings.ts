import { z } from "zod";
import type { ServedStage } from "../../agents/model_deployer/domain/entities.ts";
import {
  livenessPolicySchema,
  type LivenessPolicy,
  STANDARD_LIVENESS,
} from "../../agents/model_deployer/domain/servers/liveness.ts";

export type LivenessSettings = Record<ServedStage, LivenessPolicy>;

/** The bounds of `livenessPolicySchema`, in words. */
const RANGES = "1 to 3600 seconds and 2 to 100 misses, as in 15/2";

export const livenessVariables = {
  MODEL_DEPLOYER_LIVENESS_PRODUCTION: livenessPolicy(STANDARD_LIVENESS.production),
  MODEL_DEPLOYER_LIVENESS_STAGING: livenessPolicy(STANDARD_LIVENESS.staging),
  MODEL_DEPLOYER_LIVENESS_SHADOW: livenessPolicy(STANDARD_LIVENESS.shadow),
};

export function livenessOf(values: Record<keyof typeof livenessVariables, LivenessPolicy>): LivenessSettings {
  return {
    production: values.MODEL_DEPLOYER_LIVENESS_PRODUCTION,
    staging: values.MODEL_DEPLOYER_LIVENESS_STAGING,
    shadow: values.MODEL_DEPLOYER_LIVENESS_SHADOW,
  };
}

/** `15/2`: seconds from one miss to the next, and misses in a row. */
function livenessPolicy(standard: LivenessPolicy) {
  return z
    .string()
    .regex(/^\d+(\.\d+)?\/\d+$/, RANGES)
    .transform((text) => {
      const [interval_seconds, misses] = text.split("/").map(Number);
      return { interval_seconds, misses };
    })
    .refine((policy) => livenessPolicySchema.safeParse(policy).success, RANGES)
    .pipe(livenessPolicySchema)
    .default(standard);
}
