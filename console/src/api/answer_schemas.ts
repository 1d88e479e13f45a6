import { z } from "zod";
import { nextStepSchema } from "../../../src/agents/base/next_step.ts";
import {
  endpointViewSchema,
  type looksReportSchema,
  vitalsSchema,
  type weightsReportSchema,
} from "../../../src/service/endpoints/endpoint_schemas.ts";
import { operationReportSchema } from "../../../src/service/operations/operation_schemas.ts";
import type { historyReportSchema } from "../../../src/service/status/history_schemas.ts";

/** The API's answers, by the same schemas that it answers by. */

export type EndpointView = z.infer<typeof endpointViewSchema>;
export type OperationReport = z.infer<typeof operationReportSchema>;
export type WeightsReport = z.infer<typeof weightsReportSchema>;
export type AcknowledgedChange = WeightsReport["weights"][number];
export type HistoryReport = z.infer<typeof historyReportSchema>;
export type LooksReport = z.infer<typeof looksReportSchema>;
export type Look = LooksReport["looks"][number];

export type NamedVitals = Record<string, z.infer<typeof vitalsSchema>>;

export const feedSchemas = {
  endpoint: endpointViewSchema,
  operation: operationReportSchema,
  /** By the endpoint's name. */
  vitals: z.record(z.string(), vitalsSchema),
  history: z.object({ rows: z.int() }),
  feed: z.object({ is_current: z.boolean(), reason: z.string().nullable() }),
};

/** As RFC 9457 has it, with the deployer's own fields; an answer of another server has fewer. */
export const problemSchema = z.object({
  code: z.string().default("unexpected"),
  title: z.string().default("no answer"),
  detail: z.string(),
  operation_id: z.string().nullable().default(null),
  unmet: z.array(z.object({ criterion: z.string(), sentence: z.string() })).default([]),
  next: z.array(nextStepSchema).default([]),
  not_before: z.string().nullable().default(null),
});
export type Problem = z.infer<typeof problemSchema>;
