import type { AgentErrorOptions } from "../base/agent_error.ts";
import type { Refusal } from "./domain/plan.ts";
import { unmetCriterionSchema } from "./domain/plan.ts";
import * as errors from "./errors.ts";

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
  // Whoever repeats a request that has ended gets the same end again.
  conflict: (message, options) => new errors.ConflictError(message, { ...options, retryable: false }),
  idempotency_key_reused: (message, options) => new errors.IdempotencyKeyReusedError(message, options),
  approval_required: (message, options) => new errors.ApprovalRequiredError(message, options),
  not_authenticated: (message, options) => new errors.NotAuthenticatedError(message, options),
  deadline_exceeded: (message, options) => new errors.DeadlineExceededError(message, options),
  configuration: (message, options) => new errors.ConfigurationError(message, options),
  fork_refused: (message, options) => new errors.ForkRefusedError(message, options),
  invalid_approval: (message, options) => new errors.InvalidApprovalError(message, options),
  artifact_rejected: (message, options) => new errors.ArtifactRejectedError(message, options),
  service_unavailable: (message, options) =>
    new errors.ServiceUnavailableError(serviceOf(options), message, options),
  disk_full: (message, options) => new errors.DiskFullError(message, options),
  service_refused: (message, options) => new errors.ServiceRefusedError(serviceOf(options), message, options),
};

/** The error that an operation ended with, as it was raised the first time. */
export function restoreError(stored: {
  code: string;
  message: string;
  details: Record<string, unknown>;
}): errors.ModelDeployerError {
  const options = { details: stored.details };
  const restore = restorers[stored.code];
  return (
    restore?.(stored.message, options) ??
    new errors.ServiceRefusedError(serviceOf(options), stored.message, options)
  );
}

/** The error that a refusal is raised as. */
export function refusalError(refusal: Refusal, operationId: string | null): errors.ModelDeployerError {
  const details = { unmet: refusal.unmet, operation_id: operationId };
  if (refusal.code === "conflict") {
    return new errors.ConflictError(refusal.sentence, { details, retryable: refusal.passes });
  }
  return restoreError({ code: refusal.code, message: refusal.sentence, details });
}
