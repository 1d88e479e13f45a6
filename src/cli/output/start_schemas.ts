import { z } from "zod";
import { metricsSchema, stageSchema } from "../../agents/model_deployer/domain/entities.ts";

/** The output of `init`, `example` and `release` with `--json`. */

export const initReportSchema = z.strictObject({
  /** The file that the commands of this folder read. */
  path: z.string(),
  installation: z.enum(["standard", "demo"]),
  /** Lines that were added; empty where all were there. */
  written: z.array(z.string()),
  /** The file, where it named a database before. */
  database_from: z.string().nullable(),
});
export type InitReport = z.infer<typeof initReportSchema>;

export const exampleReportSchema = z.strictObject({
  experiment_id: z.string(),
  runs: z.array(z.strictObject({ name: z.string(), run_id: z.string(), metrics: metricsSchema })),
  /** The requests of the example's callers while `up` runs. */
  callers: z.enum(["usual", "larger", "none"]),
});
export type ExampleReport = z.infer<typeof exampleReportSchema>;

export const releaseReportSchema = z.strictObject({
  status: z.enum(["in_production", "in_rollout", "waits_for_approval", "waits_for_evidence"]),
  experiment_id: z.string(),
  mlflow_run_id: z.string(),
  /** As they were asked for; null: those of the experiment's policy. */
  steps: z.string().nullable(),
  model_version_id: z.string(),
  model_name: z.string(),
  version: z.int(),
  stage: stageSchema,
  /** Callers append `/predict`; null before the endpoint is open. */
  endpoint_url: z.string().nullable(),
  endpoint_name: z.string().nullable(),
  /** The operation that waits for approvals. */
  operation_id: z.string().nullable(),
  /** Of the demo's second person, who may approve; null in a standard installation. */
  approver_token_file: z.string().nullable(),
  /** Sentences about what is missing. */
  lacks: z.array(z.string()),
  /** From when on asking again makes sense, where time alone helps. */
  not_before: z.string().nullable(),
});
export type ReleaseReport = z.infer<typeof releaseReportSchema>;
