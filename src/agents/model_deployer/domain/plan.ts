import { z } from "zod";
import { nextStepSchema } from "../../base/next_step.ts";
import { answerSchema } from "./answer.ts";
import { changeSchema } from "./changes.ts";
import { allowedFormatsSchema } from "./models/allowed_formats.ts";
import { engineKindSchema } from "./servers/engines.ts";
import { signatureComparisonSchema } from "./models/model_signature.ts";
import { allowedSignersSchema } from "./models/signers.ts";
import { rolloutExpectationSchema } from "./traffic/rollout_expectation.ts";
import { metricsSchema, resourcesSchema, weightSetSchema } from "./entities.ts";

/**
 * A plan is data: the changes that are written before anything happens (`intent`), the outside effects in their order
 * (`steps`), and the sentences for people. Each step observes, acts only if needed, and is recorded.
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
  /** The version of the same run that is at its end; another one that was registered meanwhile is a conflict. */
  earlier_version_id: z.string().nullable().default(null),
});

const pinArtifact = z.strictObject({
  step: z.literal("pin_artifact"),
  artifact: z.enum(["model", "preprocessing"]),
  artifact_uri: z.string(),
  /** Files in other formats are refused; left out where each is allowed. */
  allowed: allowedFormatsSchema.optional(),
  /** Files that none of them signed are refused; left out where no signature is asked for. */
  signers: allowedSignersSchema.optional(),
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
  /** For a version whose formats were not read at registration: files in other ones are refused. */
  allowed: allowedFormatsSchema.optional(),
  /** For a version whose signature was not verified at registration: files that none of them signed are refused. */
  signers: allowedSignersSchema.optional(),
});

const startServer = z.strictObject({
  step: z.literal("start_server"),
  deployment_id: z.string(),
  bento_tag: z.string(),
  resources: resourcesSchema,
  /** An ended deployment whose running server is taken over if it is still there. */
  takes_over: z.string().nullable().default(null),
  /** A deployment of the version at another stage, whose running server becomes this one's while it is still routed to. */
  adopts: z.string().optional(),
  /** The adopted deployment ends with this plan, so the step fails where its server is not to be had. */
  must_adopt: z.literal(true).optional(),
  /** The server had traffic before, so it needs no sample prediction to be ready. */
  served_before: z.literal(true).optional(),
  /** The new server starts beside one that does not answer, which runs until it is stopped as the former one. */
  beside: z.literal(true).optional(),
  /** Only this one of its servers, counted from 1. */
  replica: z.int().min(1).optional(),
  /** The deployment that serves now, which has as many servers as its load needs. */
  sized_by: z.string().optional(),
  /** The engine that the deployment was made on; left out for the usual one. */
  engine: engineKindSchema.optional(),
});

/** Writes the wanted route into the database; the generation becomes `expected_generation + 1`. */
const wantRoute = z.strictObject({
  step: z.literal("want_route"),
  endpoint_name: z.string(),
  expected_generation: z.int().min(0),
  weights: weightSetSchema,
  mirror_deployment_id: z.string().nullable(),
  reason: z.string(),
  /** The figures that decided the route, by name, and the evidence behind them. */
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
  /** The engine whose router an endpoint gets that was never open; left out for one that was, and for the usual one. */
  engine: engineKindSchema.optional(),
});

/** Sends kept rows to a deployment before its first share; answers that turn into errors end the operation. */
const replayRows = z.strictObject({
  step: z.literal("replay_rows"),
  endpoint_name: z.string(),
  deployment_id: z.string(),
  baseline_deployment_id: z.string(),
  on_errors: z.enum(["refuse", "tell"]),
});

const stopServer = z.strictObject({
  step: z.literal("stop_server"),
  deployment_id: z.string(),
  /** Stops only former servers, beside which others were started, and those that are too many. */
  only_former: z.literal(true).optional(),
});

/** Hands an adopted server back to the deployment that had it, where that still wants it; it goes on running. */
const giveBackServer = z.strictObject({
  step: z.literal("give_back_server"),
  deployment_id: z.string(),
  to_deployment_id: z.string(),
});

/** Stops the server of a deployment whose warm time is over, unless it serves again. */
const drainServer = z.strictObject({ step: z.literal("drain_server"), deployment_id: z.string() });

const closeEndpoint = z.strictObject({ step: z.literal("close_endpoint"), endpoint_name: z.string() });

export const stepSchema = z.discriminatedUnion("step", [
  registerInRegistry,
  pinArtifact,
  packageModel,
  startServer,
  openEndpoint,
  replayRows,
  wantRoute,
  applyRoute,
  stopServer,
  giveBackServer,
  drainServer,
  closeEndpoint,
]);
export type Step = z.infer<typeof stepSchema>;
export type StepOf<K extends Step["step"]> = Extract<Step, { step: K }>;

export const plannedStepSchema = z.strictObject({
  do: stepSchema,
  /** Applied together with the record of the step, beside the changes that the step itself brings. */
  then: z.array(changeSchema),
  /** Steps that are carried out, last step first, when a later step fails for good. */
  undo: z.array(stepSchema),
});
export type PlannedStep = z.infer<typeof plannedStepSchema>;

export const planSchema = z.strictObject({
  /** One sentence about the outcome if all goes well. */
  summary: z.string(),
  /** The lease that the plan is carried out under: an endpoint's name, or the version's id. */
  lease_name: z.string(),
  /** Other endpoints whose route it changes, and whose leases it holds too; older plans have none. */
  also_leases: z.array(z.string()).default([]),
  /** Takes the lease from its holder and is planned again when it loses: a rollback, and a pause of a rollout. */
  preempts: z.boolean(),
  /** Written together with the plan, before the first step. */
  intent: z.array(changeSchema),
  steps: z.array(plannedStepSchema),
  /** Applied in the last transaction when all steps are done. */
  on_success: z.array(changeSchema),
  /** No step is retried within the operation: its caller looks again, and retries by its own back-off. */
  tries_once: z.literal(true).optional(),
  /** Applied in the last transaction when a step failed for good and the steps before it are undone. */
  on_failure: z.array(changeSchema),
  /** The caller's answer, without the values that only the steps and the clock have. */
  draft: answerSchema,
  /** How many approvals by other principals the plan waits for. */
  approvals_needed: z.int().min(0),
  /** Generation of the endpoint that the plan was made for; an approval is bound to it. */
  generation: z.int().min(0),
  /** Sentences for the reader that do not stop the plan. */
  notes: z.array(z.string()),
  /** Evidence for the plan, by name, for whoever approves it; empty in plans that were stored without it. */
  evidence: z.record(z.string(), z.json()).default({}),
  /** How the columns differ from what serves now; null where there is nothing to compare, and in older plans. */
  signature: signatureComparisonSchema.nullable().default(null),
  /** How long a rollout's steps are likely to last, and what they can show; null without one, and in older plans. */
  expectation: rolloutExpectationSchema.nullable().default(null),
  /** The ways out where a step fails for good; older plans name none. */
  next_if_failed: z.array(nextStepSchema).default([]),
  /** Readable names of the versions, deployments and rollouts that it moves, by id; empty in older plans. */
  names: z.record(z.string(), z.string()).default({}),
});
export type Plan = z.infer<typeof planSchema>;

export const unmetCriterionSchema = z.strictObject({
  /** A stable name, such as `shadow_hours`. */
  criterion: z.string(),
  required: z.string(),
  observed: z.string(),
  /** The criterion as a sentence, with the way out. */
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
    "invalid_approval",
    "artifact_rejected",
    "engine_refused",
  ]),
  sentence: z.string(),
  /** Whether the same request, unchanged, can be granted later. */
  passes: z.boolean().default(false),
  /** All criteria that are not met, never only the first. */
  unmet: z.array(unmetCriterionSchema),
  /** Each way out; empty where it is final, which the sentence says then. */
  next: z.array(nextStepSchema).default([]),
  /** From when on the same request makes sense again; null where no time helps. */
  not_before: z.string().nullable().default(null),
});
export type Refusal = z.infer<typeof refusalSchema>;

export type Decision = { decision: "plan"; plan: Plan } | { decision: "refusal"; refusal: Refusal };
