import { z } from "zod";
import { installedEnginesSchema } from "../../../src/agents/model_deployer/domain/servers/engines.ts";
import { livenessSchema } from "../../../src/agents/model_deployer/domain/servers/liveness.ts";

/** The deployer's settings, as an order to another process has them. */
export const sentSettings = {
  requested_by: z.string(),
  lease_seconds: z.number(),
  patience_seconds: z.number(),
  retention_seconds: z.number(),
  answer_seconds: z.number(),
  approval_wait_seconds: z.number(),
  long_work_seconds: z.number(),
  reconcile_seconds: z.number(),
  liveness: livenessSchema,
  engines: installedEnginesSchema,
  default_effects: z.enum(["live", "dry-run"]),
};
