import { AgentError, type AgentErrorOptions } from "../base/agent_error.ts";
import type { UnmetCriterion } from "./domain/plan.ts";

/** The root of this agent's errors. Each one's comment says what it does to the run. */
export abstract class ModelDeployerError extends AgentError {}

/** Ends the run before any outside call: the input has missing, unknown or malformed fields. */
export class InvalidRequestError extends ModelDeployerError {
  readonly code = "invalid_request";
  readonly retryable = false;
}

/** Ends the run before any outside call: `deployment_action` names no action. */
export class InvalidDeploymentActionError extends ModelDeployerError {
  readonly code = "invalid_deployment_action";
  readonly retryable = false;
}

/** Refuses the move: the lifecycle has no such transition. */
export class InvalidPromotionPathError extends ModelDeployerError {
  readonly code = "invalid_promotion_path";
  readonly retryable = false;
}

/** Refuses production: `unmet` lists every criterion that is missing, with numbers. */
export class ProductionCriteriaNotMetError extends ModelDeployerError {
  readonly code = "production_criteria_not_met";
  /** Where all that is missing comes by going on as it is; `not_before` says when it may be there. */
  readonly retryable: boolean;
  readonly unmet: readonly UnmetCriterion[];

  constructor(message: string, unmet: readonly UnmetCriterion[], options: ConflictOptions = {}) {
    super(message, { ...options, details: { ...options.details, unmet } });
    this.unmet = unmet;
    this.retryable = options.retryable ?? false;
  }
}

/** Ends a rollback that could not be carried out; traffic is where it was unless `details` says otherwise. */
export class RollbackFailedError extends ModelDeployerError {
  readonly code = "rollback_failed";
  readonly retryable = false;
}

/** Ends a deployment whose server never became ready; `cause` is the last error of its log. Nothing is left running. */
export class EndpointCreationError extends ModelDeployerError {
  readonly code = "endpoint_creation_failed";
  readonly retryable = false;
}

/** Ends the step: a server that is to get traffic does not answer; the operation is planned again with that fact. */
export class ServerNotReadyError extends ModelDeployerError {
  readonly code = "server_not_ready";
  readonly retryable = false;
}

/** Refuses a deployment: the version is not at the stage that it is to be served at. */
export class StageMismatchError extends ModelDeployerError {
  readonly code = "stage_mismatch";
  readonly retryable = false;
}

/** Ends the run: a version, deployment, experiment, run or endpoint of that name does not exist. */
export class NotFoundError extends ModelDeployerError {
  readonly code = "not_found";
  readonly retryable = false;
}

/**
 * Ends the run with nothing changed: somebody else holds the endpoint, the state has moved on since it was read, or the
 * request does not fit it. Retryable, unless no repetition of the same request can help.
 */
export class ConflictError extends ModelDeployerError {
  readonly code = "conflict";
  readonly retryable: boolean;

  constructor(message: string, { retryable = true, ...options }: ConflictOptions = {}) {
    super(message, options);
    this.retryable = retryable;
  }
}

interface ConflictOptions extends AgentErrorOptions {
  retryable?: boolean;
}

/** Ends the run: the same `request_id` came before with another body. */
export class IdempotencyKeyReusedError extends ModelDeployerError {
  readonly code = "idempotency_key_reused";
  readonly retryable = false;
}

/** Refuses a replay or a fork of a live run that asks for something else than its operation did; nothing was changed. */
export class ForkRefusedError extends ModelDeployerError {
  readonly code = "fork_refused";
  readonly retryable = false;
}

/** Ends the run until somebody else approves; repeating the same request afterwards carries it on. */
export class ApprovalRequiredError extends ModelDeployerError {
  readonly code = "approval_required";
  /** No time approves: somebody else does, as `next` says. */
  readonly retryable = false;
}

/** Refuses an approval that is expired, used, made for something else, or made by the requester. */
export class InvalidApprovalError extends ModelDeployerError {
  readonly code = "invalid_approval";
  readonly retryable = false;
}

/** Refuses the caller: no principal belongs to the credential. */
export class NotAuthenticatedError extends ModelDeployerError {
  readonly code = "not_authenticated";
  readonly retryable = false;
}

/** Refuses the caller: their roles do not include the right that it takes; an administrator can grant one that does. */
export class NotPermittedError extends ModelDeployerError {
  readonly code = "not_permitted";
  readonly retryable = false;
}

/** Ends the step: an artifact is outside what is allowed, or is not the one that was registered. */
export class ArtifactRejectedError extends ModelDeployerError {
  readonly code = "artifact_rejected";
  readonly retryable = false;
}

/** Refuses the request, or ends the step: its engine is not configured here, or the endpoint's router reaches none of its servers. */
export class EngineRefusedError extends ModelDeployerError {
  readonly code = "engine_refused";
  readonly retryable = false;
}

/** Ends the step: a part that is needed does not answer. The operation can be resumed. */
export class ServiceUnavailableError extends ModelDeployerError {
  readonly code = "service_unavailable";
  readonly retryable = true;
  readonly service: string;

  constructor(service: string, message: string, options: AgentErrorOptions = {}) {
    super(message, { ...options, details: { ...options.details, service } });
    this.service = service;
  }
}

/** Ends the step: a disk is full; `details.path` says where. The operation goes on once there is room. */
export class DiskFullError extends ModelDeployerError {
  readonly code = "disk_full";
  readonly retryable = true;
}

/** Ends the step before anything is started or stopped: there is memory for one server of a deployment, and not for two. */
export class MemoryShortError extends ModelDeployerError {
  readonly code = "memory_short";
  readonly retryable = false;
}

/** Ends the step: a part answered, but refused or made no sense. */
export class ServiceRefusedError extends ModelDeployerError {
  readonly code = "service_refused";
  readonly retryable = false;
  readonly service: string;

  constructor(service: string, message: string, options: AgentErrorOptions = {}) {
    super(message, { ...options, details: { ...options.details, service } });
    this.service = service;
  }
}

/** Ends the run inside its SLA; the operation keeps its journal and goes on when resumed. */
export class DeadlineExceededError extends ModelDeployerError {
  readonly code = "deadline_exceeded";
  readonly retryable = true;
}

/** Stops the start: a setting is missing or malformed; the message names the variable. */
export class ConfigurationError extends ModelDeployerError {
  readonly code = "configuration";
  readonly retryable = false;
}
