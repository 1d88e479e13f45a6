import { z } from "zod";
import {
  experimentSchema,
  servedStageSchema,
  stageSchema,
} from "../../agents/model_deployer/domain/entities.ts";
import { gatePolicySchema } from "../../agents/model_deployer/domain/models/gate_policy.ts";
import { formatSchema } from "../../agents/model_deployer/domain/models/loading_report.ts";
import { engineKindSchema } from "../../agents/model_deployer/domain/servers/engines.ts";

export const experimentReportSchema = z.strictObject({
  experiment: experimentSchema,
  gate_policy: gatePolicySchema,
});
export const experimentsReportSchema = z.strictObject({ experiments: z.array(experimentSchema) });
export const policyReportSchema = z.strictObject({
  experiment_id: z.string(),
  gate_policy: gatePolicySchema,
  /** Versions that are not archived, in formats that the policy does not allow; null for formats that were not read. */
  versions_in_other_formats: z
    .array(
      z.strictObject({
        model_version_id: z.string(),
        stage: stageSchema,
        formats: z.array(formatSchema).nullable(),
      }),
    )
    .default([]),
  /** The same for who signed them; null for signatures that were not verified. */
  versions_signed_by_others: z
    .array(
      z.strictObject({
        model_version_id: z.string(),
        stage: stageSchema,
        signed_by: z.array(z.string()).nullable(),
      }),
    )
    .default([]),
  /** Deployments with traffic that serve on another engine than the policy gives to new ones; they stay there. */
  deployments_on_other_engines: z
    .array(
      z.strictObject({
        deployment_id: z.string(),
        target_stage: servedStageSchema,
        engine: engineKindSchema,
      }),
    )
    .default([]),
});
