import { z } from "zod";
import { answerSchema } from "./answer.ts";
import { changeSchema } from "./changes.ts";
import { metricsSchema, resourcesSchema, weightSetSchema } from "./entities.ts";

/**
 * A plan is data: what is written before anything happens (`intent`), the outside effects in their order (`steps`),
 * and what a person reads. Each step is carried out as observe, act only if needed, record.
 */

const registerInRegistry = z.strictObject({
  step: z.literal("register_in_registry"),
  /** Null in plans that were stored without it. */
  experiment_id: z.string().nullable().default(null),
  model_name: z.string(),
  mlflow_run_id: z.string(),
  source: z.string(),
  /** Tags the version, so that a second try finds the first one's. */
  request_key: z.string(),
});

const pinArtifact = z.strictObject({
  step: z.literal("pin_artifact"),
  artifact: z.enum(["model", "preprocessing"]),
  artifact_uri: z.string(),
});

const packageModel = z.strictObject({
  step: z.literal("package_model"),
  bento_tag: z.string(),
  model_version_id: z.string(),
  model_name: z.string(),
  version: z.int(),
  model_artifact_uri: z.string(),
  preprocessing_artifact_uri: z.string().nullable(),
  artifact_digest: z.string(),
  preprocessing_digest: z.string().nullable(),
});

const startServer = z.strictObject({
  step: z.literal("start_server"),
  deployment_id: z.string(),
  bento_tag: z.string(),
  resources: resourcesSchema,
  /** A deployment that nobody needs any more, whose running server is taken over if it still can be. */
  takes_over: z.string().nullable().default(null),
  /** Had traffic before, so that it is ready without a sample prediction. */
  served_before: z.literal(true).optional(),
  /** Beside the server that has a process and does not answer, which goes on until it is stopped as the former one. */
  beside: z.literal(true).optional(),
});

/** Writes the wanted route into the database; the generation becomes `expected_generation + 1`. */
const wantRoute = z.strictObject({
  step: z.literal("want_route"),
  endpoint_name: z.string(),
  expected_generation: z.int().min(0),
  weights: weightSetSchema,
  mirror_deployment_id: z.string().nullable(),
  reason: z.string(),
  /** What it was decided by: figures by name, and the evidence behind them. */
  metrics: metricsSchema.optional(),
  evidence: z.record(z.string(), z.json()).optional(),
});

/** Brings the router to the wanted route of this generation and waits for its acknowledgement. */
const applyRoute = z.strictObject({
  step: z.literal("apply_route"),
  endpoint_name: z.string(),
  generation: z.int().min(1),
});

const openEndpoint = z.strictObject({
  step: z.literal("open_endpoint"),
  endpoint_name: z.string(),
  experiment_id: z.string(),
});

const stopServer = z.strictObject({
  step: z.literal("stop_server"),
  deployment_id: z.string(),
  /** Only the server that another one was started beside. */
  only_former: z.literal(true).optional(),
});

/** Stops the server of a deployment whose time of being kept warm is over, unless it serves again. */
const drainServer = z.strictObject({ step: z.literal("drain_server"), deployment_id: z.string() });

const closeEndpoint = z.strictObject({ step: z.literal("close_endpoint"), endpoint_name: z.string() });

export const stepSchema = z.discriminatedUnion("step", [
  registerInRegistry,
  pinArtifact,
  packageModel,
  startServer,
  openEndpoint,
  wantRoute,
  applyRoute,
  stopServer,
  drainServer,
  closeEndpoint,
]);
export type Step = z.infer<typeof stepSchema>;
export type StepOf<K extends Step["step"]> = Extract<Step, { step: K }>;

export const plannedStepSchema = z.strictObject({
  do: stepSchema,
  /** Applied together with the record of the step, beside the changes that the step itself brings. */
  then: z.array(changeSchema),
  /** Carried out, last step first, when a later step fails for good. */
  undo: z.array(stepSchema),
});
export type PlannedStep = z.infer<typeof plannedStepSchema>;

export const planSchema = z.strictObject({
  /** One sentence: what will be, if all goes well. */
  summary: z.string(),
  /** The lease that the plan is carried out under: an endpoint's name, or the version's id. */
  lease_name: z.string(),
  /** Takes the lease from whoever has it and is planned again when it loses: a rollback, and who pauses a rollout. */
  preempts: z.boolean(),
  /** Written together with the plan, before the first step. */
  intent: z.array(changeSchema),
  steps: z.array(plannedStepSchema),
  /** Applied in the last transaction when all steps are done. */
  on_success: z.array(changeSchema),
  /** Applied in the last transaction when a step failed for good and the steps before it are undone. */
  on_failure: z.array(changeSchema),
  /** What the caller is answered, but for what only the steps and the clock can tell. */
  draft: answerSchema,
  /** How many approvals by other principals the plan waits for. */
  approvals_needed: z.int().min(0),
  /** Generation of the endpoint that the plan was made for; an approval is bound to it. */
  generation: z.int().min(0),
  /** What a reader should know though it does not stop the plan. */
  notes: z.array(z.string()),
  /** What speaks for the plan, by name, for whoever approves it; plans that were stored without it have none. */
  evidence: z.record(z.string(), z.json()).default({}),
  /** What a person calls the versions, deployments and rollouts that it moves, by id; older plans name none. */
  names: z.record(z.string(), z.string()).default({}),
});
export type Plan = z.infer<typeof planSchema>;

export const unmetCriterionSchema = z.strictObject({
  /** A stable name, such as `shadow_hours`. */
  criterion: z.string(),
  required: z.string(),
  observed: z.string(),
  /** The same as a sentence, with the way out. */
  sentence: z.string(),
});
export type UnmetCriterion = z.infer<typeof unmetCriterionSchema>;

export const refusalSchema = z.strictObject({
  /** The code of the error that the caller gets. */
  code: z.enum([
    "invalid_promotion_path",
    "production_criteria_not_met",
    "rollback_failed",
    "stage_mismatch",
    "conflict",
    "not_found",
    "invalid_request",
  ]),
  sentence: z.string(),
  /** Time alone may lift it: the same request, unchanged, can be granted later. */
  passes: z.boolean().default(false),
  /** All that is missing, never only the first. */
  unmet: z.array(unmetCriterionSchema),
});
export type Refusal = z.infer<typeof refusalSchema>;

export type Decision = { decision: "plan"; plan: Plan } | { decision: "refusal"; refusal: Refusal };
