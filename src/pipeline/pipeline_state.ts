import { ReducedValue } from "@langchain/langgraph";
import { z } from "zod";
import { agentStateFields, agentStatusSchema } from "../agents/base/agent_state.ts";
import { CheckedState } from "../agents/model_deployer/state/checked_state.ts";
import { neighbourFields, requestFields } from "../agents/model_deployer/state/request_fields.ts";
import { ModelDeployerState } from "../agents/model_deployer/state/state.ts";

/** A model's features as the caller knows them; `importance` is the mean absolute SHAP value. */
export const featureImportancesSchema = z.strictObject({
  importance: z.record(z.string().min(1), z.number().min(0)),
  samples_analyzed: z.int().min(1),
});

/** The body of `POST {endpoint_url}/predict`. */
export const predictionRequestSchema = z.strictObject({
  entity_id: z.string(),
  features: z.record(z.string(), z.json()),
  time_horizon: z.string().default("30d"),
  return_proba: z.boolean().default(true),
});
export type PredictionRequest = z.infer<typeof predictionRequestSchema>;

/** The outcome of prediction_synthesizer; the router names the deployment that answered. */
export const predictionSchema = z.discriminatedUnion("outcome", [
  z.strictObject({
    outcome: z.literal("predicted"),
    endpoint_url: z.string(),
    deployment_id: z.string().nullable(),
    prediction: z.json(),
    probabilities: z.array(z.number()).nullable(),
    /** 0 to 1; null for a model without probabilities. */
    confidence: z.number().nullable(),
    model_type: z.string(),
    model_version: z.string(),
    features_used: z.array(z.string()),
  }),
  z.strictObject({ outcome: z.literal("skipped"), reason: z.string() }),
]);
export type Prediction = z.infer<typeof predictionSchema>;

const statusCountsSchema = z.strictObject({ ok: z.int(), error: z.int(), timeout: z.int() });
export type StatusCounts = z.infer<typeof statusCountsSchema>;

export const observabilitySummarySchema = z.strictObject({
  spans: z.int(),
  by_status: statusCountsSchema,
  by_agent: z.record(z.string(), statusCountsSchema),
});
export type ObservabilitySummary = z.infer<typeof observabilitySummarySchema>;

type Status = z.infer<typeof agentStatusSchema>;

/** Two agents may end in the same step, and a failure is not undone by another's success. */
function worseStatus(present: Status, added: Status): Status {
  return present === "failed" && added === "completed" ? present : added;
}

const { deployment_plan, deployment_manifest, version_record } = ModelDeployerState.fields;
const { operation_id, rollback_successful, active_deployment_id, degraded } = ModelDeployerState.fields;

function shownAs(schema: z.ZodType, description: string) {
  const shape = z.toJSONSchema(schema, { io: "input" });
  return z
    .unknown()
    .meta({ ...shape, description })
    .optional();
}

/** The state of the four agents. What a caller hands over is parsed by the agent that reads it. */
export const PipelineState = new CheckedState({
  ...agentStateFields,
  status: new ReducedValue(agentStatusSchema.default("pending"), { reducer: worseStatus }),
  ...neighbourFields,
  ...requestFields,
  feature_importances: shownAs(
    featureImportancesSchema,
    "feature_analyzer: what the SHAP analysis is made of",
  ),
  top_interactions: z.array(z.json()).nullable().optional(),
  explainer_type: z.string().nullable().optional(),
  prediction_request: shownAs(predictionRequestSchema, "prediction_synthesizer: what to ask the endpoint"),
  deployment_plan,
  deployment_manifest,
  version_record,
  operation_id,
  rollback_successful,
  active_deployment_id,
  degraded,
  prediction: predictionSchema.nullable().optional(),
  observability_summary: observabilitySummarySchema.nullable().optional(),
});
