import { ModelDeployerError } from "../agents/model_deployer/errors.ts";

/** Refuses a request that another site's page has sent, or that names this server by a foreign name. */
export class OriginRefusedError extends ModelDeployerError {
  readonly code = "origin_refused";
  readonly retryable = false;
}

/** Refuses one more event stream; those that are open go on. */
export class TooManyStreamsError extends ModelDeployerError {
  readonly code = "too_many_streams";
  readonly retryable = true;
}

/** Refuses one more replay, so that those together cannot load what serves; those under way go on. */
export class TooManyReplaysError extends ModelDeployerError {
  readonly code = "too_many_replays";
  readonly retryable = true;
}

/** Refuses an action whose caller has seen an earlier state of the endpoint; nothing was changed. */
export class StaleViewError extends ModelDeployerError {
  readonly code = "stale_view";
  readonly retryable = false;
}

/** Refuses a path that there is, under a method that it does not have. */
export class MethodNotAllowedError extends ModelDeployerError {
  readonly code = "method_not_allowed";
  readonly retryable = false;
}
