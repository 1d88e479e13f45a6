import type { z } from "zod";
import { AgentError, type AgentErrorOptions } from "../../base/agent_error.ts";
import { type Action, type ActionRequest, actionRequestSchema, ASKED_ACTIONS } from "../domain/requests.ts";
import { idSchema } from "../domain/values/requested_values.ts";
import { InvalidDeploymentActionError, InvalidRequestError } from "../errors.ts";
import { type ParsedRequestState, requestStateSchema, withoutNeighbours } from "../state/state.ts";
import { valueText } from "../state/value_text.ts";

export interface ValidatedRequest {
  action_request: ActionRequest;
  /** Null where the caller named neither a request nor a session and query. */
  idempotency_key: string | null;
}

const MAXIMUM_BYTES = 1024 * 1024;
const MAXIMUM_DEPTH = 32;
/** `lc` would come back from a checkpoint as a live object; the others change prototypes. */
const POISONED_KEYS = new Set(["lc", "__proto__", "constructor", "prototype"]);

const defaults = {
  replicas: 1,
  cpu_limit: "2",
  memory_limit: "4Gi",
  autoscaling: { min: 1, max: 5, target_cpu: 70 },
  rollout: "linear",
  promotion_reason: "Automated promotion",
} as const;

/**
 * Parses a caller's state, without any outside call.
 * @throws InvalidRequestError with every problem and its field
 * @throws InvalidDeploymentActionError
 */
export function validateRequest(state: Record<string, unknown>): ValidatedRequest {
  return readable(() => validated(state));
}

/** Reads a caller's value, which may raise: an accessor, a proxy, or a missing object. @throws InvalidRequestError */
export function readable<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof AgentError) throw error;
    const why = error instanceof Error ? error.message : valueText(error);
    const message = `The state cannot be read: ${why.slice(0, 200)}. Hand over plain JSON values.`;
    throw new InvalidRequestError(message, { cause: error });
  }
}

function validated(state: Record<string, unknown>): ValidatedRequest {
  refusePoison(state);
  const action = state["deployment_action"];
  const known = [...ASKED_ACTIONS, "advance" as const].find((name) => name === action);
  if (known === undefined) {
    throw new InvalidDeploymentActionError(
      `Unknown action: ${valueText(action)}. Set deployment_action to one of ${ASKED_ACTIONS.join(", ")}.`,
    );
  }
  const read = known === "register" ? state : withoutNeighbours(state);
  const parsed = parse(requestStateSchema, read);
  const request = parse(actionRequestSchema, withoutUndefined(assemble(known, parsed)));
  return { action_request: request, idempotency_key: idempotencyKey(parsed) };
}

/** A pipeline's query makes one request: the same query with the same body gets the same answer. */
function idempotencyKey(state: ParsedRequestState): string | null {
  if (state.request_id !== undefined) return state.request_id;
  if (state.session_id === undefined || state.query_id === undefined) return null;
  return `${state.session_id}:${state.query_id}:${state.deployment_action}`;
}

function assemble(action: Action, state: ParsedRequestState): Record<string, unknown> {
  const { model_version_id, target_stage, deployment_id } = state;
  switch (action) {
    case "register":
      return {
        action,
        experiment_id: state.experiment_id,
        mlflow_run_id: state.mlflow_run_id,
        mlflow_model_name: state.mlflow_model_name ?? null,
        mlflow_model_version: state.mlflow_model_version ?? null,
        model_artifact_uri: state.model_artifact_uri ?? null,
        preprocessing_artifact_uri: state.preprocessing_artifact_uri ?? null,
        shap_evidence: shapEvidence(state),
      };
    case "promote":
      return {
        ...{ action, model_version_id, target_stage },
        current_stage: state.current_stage ?? null,
        promotion_reason: state.promotion_reason ?? defaults.promotion_reason,
      };
    case "deploy":
      return {
        action,
        model_version_id,
        target_stage,
        ...deployed(state),
        rollout: state.rollout ?? defaults.rollout,
      };
    case "rollback":
      return { action, ...rollback(state) };
    case "remove":
      return { action, deployment_id, removal_reason: state.removal_reason };
    case "restart":
      return { action, deployment_id, restart_reason: state.restart_reason };
    case "update":
      return { action, deployment_id, ...updated(state) };
    case "pause":
    case "resume":
    case "abort":
    case "promote_now":
      return { action, ...controlledRollout(state) };
    case "retry":
      return { action, ...controlledRollout(state), judge: state.judge };
    case "advance":
      return { action, rollout_id: state.rollout_id };
    default:
      return action satisfies never;
  }
}

function deployed({ replicas, cpu_limit, memory_limit, autoscaling }: ParsedRequestState) {
  return {
    replicas: replicas ?? defaults.replicas,
    cpu_limit: cpu_limit ?? defaults.cpu_limit,
    memory_limit: memory_limit ?? defaults.memory_limit,
    autoscaling: autoscaling ?? defaults.autoscaling,
  };
}

function updated({ replicas, cpu_limit, memory_limit, autoscaling, update_reason }: ParsedRequestState) {
  return { replicas, cpu_limit, memory_limit, autoscaling, update_reason };
}

/** An endpoint that lies in a shared state beside the deployment that is bad is not asked about, and no reason to refuse. */
function rollback(state: ParsedRequestState) {
  const { current_deployment_id, endpoint_name, rollback_to, condemned_because, rollback_reason } = state;
  const beside = idSchema.optional().catch(undefined).parse(endpoint_name);
  const where =
    current_deployment_id === undefined
      ? { endpoint_name }
      : { current_deployment_id, ...(beside !== undefined && { endpoint_beside: beside }) };
  return { ...where, rollback_to, condemned_because, rollback_reason };
}

function controlledRollout({ rollout_id, endpoint_name, rollout_reason }: ParsedRequestState) {
  return { rollout_id: rollout_id ?? null, endpoint_name: endpoint_name ?? null, rollout_reason };
}

/** Null where feature_analyzer left SHAP out; a ranking without its analysis counts with zero samples. */
function shapEvidence({ shap_analysis, top_features, shap_skipped }: ParsedRequestState) {
  if (shap_skipped === true) return null;
  const ranked = (shap_analysis?.feature_importance ?? [])
    .toSorted((a, b) => a.rank - b.rank)
    .map((entry) => entry.feature);
  const top = top_features ?? ranked;
  if (top.length === 0) return null;
  return {
    shap_analysis_id: shap_analysis?.shap_analysis_id ?? null,
    top_features: top.slice(0, 5),
    samples_analyzed: shap_analysis?.samples_analyzed ?? 0,
  };
}

function withoutUndefined(record: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined));
}

function parse<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const problems = result.error.issues.flatMap((issue) => problemsOf(issue, value));
  const options: AgentErrorOptions = { cause: result.error, details: { problems } };
  throw new InvalidRequestError(`The request is not valid: ${problems.join("; ")}.`, options);
}

function problemsOf(issue: z.core.$ZodIssue, value: unknown): string[] {
  const inside = insideOf(issue);
  if (inside.length > 0) {
    return inside.flatMap((inner) => problemsOf({ ...inner, path: [...issue.path, ...inner.path] }, value));
  }
  const found = issue.path.reduce<unknown>(
    (inner, key) => (typeof inner === "object" && inner !== null ? Reflect.get(inner, key) : undefined),
    value,
  );
  const where = issue.path.length === 0 ? "state" : issue.path.join(".");
  const given = found === undefined || issue.path.length === 0 ? "" : ` (given ${valueText(found)})`;
  return [`${where}: ${expectationOf(issue)}${given}`];
}

/** Problems inside the member of a union that has the value's shape; none where no member has. */
function insideOf(issue: z.core.$ZodIssue): z.core.$ZodIssue[] {
  if (issue.code !== "invalid_union") return [];
  return issue.errors.find((member) => member.some((inner) => inner.path.length > 0)) ?? [];
}

/** A union's own issue only says that no member fits; those of its members say what each expects. */
function expectationOf(issue: z.core.$ZodIssue): string {
  if (issue.code !== "invalid_union" || issue.errors.length === 0) return issue.message;
  return issue.errors.map((inner) => inner.map((one) => one.message).join(", ")).join(", or ");
}

function refusePoison(state: Record<string, unknown>): void {
  let budget = MAXIMUM_BYTES;
  const visit = (value: unknown, path: string, depth: number): void => {
    if (depth > MAXIMUM_DEPTH) {
      throw new InvalidRequestError(
        `${path} is nested deeper than ${MAXIMUM_DEPTH} levels; hand over a flatter state.`,
      );
    }
    budget -= typeof value === "string" ? value.length + 2 : 8;
    if (budget < 0) {
      throw new InvalidRequestError(
        `The state is larger than ${MAXIMUM_BYTES} bytes; hand over ids and summaries, not artifacts.`,
      );
    }
    if (typeof value === "string" && (!value.isWellFormed() || value.includes("\u0000"))) {
      throw new InvalidRequestError(
        `${path}: text without control characters or lone surrogates (given ${valueText(value)}).`,
      );
    }
    if (typeof value !== "object" || value === null) return;
    for (const key of Reflect.ownKeys(value)) {
      if (typeof key === "symbol" || POISONED_KEYS.has(key)) {
        throw new InvalidRequestError(`${path} has the forbidden key ${valueText(String(key))}; remove it.`);
      }
      budget -= key.length + 3;
      visit(Reflect.get(value, key), path === "" ? key : `${path}.${key}`, depth + 1);
    }
  };
  visit(state, "", 0);
}
