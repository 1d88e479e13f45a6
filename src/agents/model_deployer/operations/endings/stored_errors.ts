import { type NextStep, nextStepSchema } from "../../../base/next_step.ts";
import type { AgentError, AgentErrorOptions } from "../../../base/agent_error.ts";
import { type Refusal, unmetCriterionSchema } from "../../domain/plan.ts";
import * as errors from "../../errors.ts";

type Restore = (message: string, options: AgentErrorOptions) => errors.ModelDeployerError;

const serviceOf = ({ details }: AgentErrorOptions): string => {
  const service = details?.["service"];
  return typeof service === "string" ? service : "unknown";
};

const restorers: Readonly<Record<string, Restore>> = {
  invalid_request: (message, options) => new errors.InvalidRequestError(message, options),
  invalid_deployment_action: (message, options) => new errors.InvalidDeploymentActionError(message, options),
  invalid_promotion_path: (message, options) => new errors.InvalidPromotionPathError(message, options),
  production_criteria_not_met: (message, options) => {
    const unmet = unmetCriterionSchema.array().safeParse(options.details?.["unmet"]);
    return new errors.ProductionCriteriaNotMetError(message, unmet.success ? unmet.data : [], options);
  },
  rollback_failed: (message, options) => new errors.RollbackFailedError(message, options),
  endpoint_creation_failed: (message, options) => new errors.EndpointCreationError(message, options),
  server_not_ready: (message, options) => new errors.ServerNotReadyError(message, options),
  stage_mismatch: (message, options) => new errors.StageMismatchError(message, options),
  not_found: (message, options) => new errors.NotFoundError(message, options),
  // A repeated request that has ended gets the same error again.
  conflict: (message, options) => new errors.ConflictError(message, { ...options, retryable: false }),
  idempotency_key_reused: (message, options) => new errors.IdempotencyKeyReusedError(message, options),
  approval_required: (message, options) => new errors.ApprovalRequiredError(message, options),
  not_authenticated: (message, options) => new errors.NotAuthenticatedError(message, options),
  not_permitted: (message, options) => new errors.NotPermittedError(message, options),
  deadline_exceeded: (message, options) => new errors.DeadlineExceededError(message, options),
  configuration: (message, options) => new errors.ConfigurationError(message, options),
  fork_refused: (message, options) => new errors.ForkRefusedError(message, options),
  invalid_approval: (message, options) => new errors.InvalidApprovalError(message, options),
  artifact_rejected: (message, options) => new errors.ArtifactRejectedError(message, options),
  engine_refused: (message, options) => new errors.EngineRefusedError(message, options),
  service_unavailable: (message, options) =>
    new errors.ServiceUnavailableError(serviceOf(options), message, options),
  disk_full: (message, options) => new errors.DiskFullError(message, options),
  memory_short: (message, options) => new errors.MemoryShortError(message, options),
  service_refused: (message, options) => new errors.ServiceRefusedError(serviceOf(options), message, options),
};

/** The error that an operation ended with, as it was raised the first time. */
export function restoreError(stored: {
  code: string;
  message: string;
  details: Record<string, unknown>;
}): errors.ModelDeployerError {
  const { next, ...details } = stored.details;
  const steps = nextStepSchema.array().safeParse(next);
  return restored(stored, { details, next: steps.data ?? [] });
}

function restored(
  stored: { code: string; message: string },
  options: AgentErrorOptions,
): errors.ModelDeployerError {
  const restore = restorers[stored.code];
  return (
    restore?.(stored.message, options) ??
    new errors.ServiceRefusedError(serviceOf(options), stored.message, options)
  );
}

/**
 * The error as the end of its operation, with these ways out where it names none. Under a key of the caller's, the
 * same request gets the same end again.
 */
export function asEnd(error: AgentError, next: readonly NextStep[], isKeyed: boolean): AgentError {
  const { code, message, details, cause, not_before, retryable } = error;
  const isKept = error instanceof errors.ConflictError && retryable && isKeyed;
  const isTold = next.length === 0 || error.next.length > 0;
  if (isTold && !isKept) return error;
  const options = { details, cause, not_before, next: isTold ? error.next : next };
  if (!(error instanceof errors.ConflictError)) return restored({ code, message }, options);
  const wayOut = `${message.replace(/\.?$/, ".")} Ask with a new request_id.`;
  return new errors.ConflictError(isKept ? wayOut : message, { ...options, retryable: retryable && !isKept });
}

export function refusalError(refusal: Refusal, operationId: string | null): errors.ModelDeployerError {
  const { code, sentence: message, unmet, next, not_before, passes: retryable } = refusal;
  const details = { unmet, operation_id: operationId };
  const waysOut = { next, not_before };
  if (code === "production_criteria_not_met") {
    return new errors.ProductionCriteriaNotMetError(message, unmet, { details, retryable, ...waysOut });
  }
  if (code === "conflict") return new errors.ConflictError(message, { details, retryable, ...waysOut });
  return restored({ code, message }, { details, ...waysOut });
}
