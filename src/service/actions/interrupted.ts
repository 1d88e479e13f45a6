import { AgentError } from "../../agents/base/agent_error.ts";

/**
 * Raised when Ctrl-C or SIGTERM ended a command early; `operation_id` in its details names the operation that it left.
 */
export class InterruptedError extends AgentError {
  readonly code = "interrupted";
  readonly retryable = true;
}

/** The error unchanged, unless it only says that the command was interrupted. */
export function unlessInterrupted(
  error: unknown,
  signal: AbortSignal,
  operationId: string | null = null,
): unknown {
  if (!signal.aborted || error instanceof InterruptedError || !canComeFromInterruption(error)) return error;
  const left = operationId === null ? "" : `; operation ${operationId} is left where its journal says`;
  const details = operationId === null ? {} : { operation_id: operationId };
  return new InterruptedError(`Interrupted before its end${left}.`, { cause: error, details });
}

/** Whether an interruption can cause the error: a mistake or a final refusal would have come without one too. */
function canComeFromInterruption(error: unknown): boolean {
  return error instanceof AgentError
    ? error.retryable
    : error instanceof Error && error.name === "AbortError";
}
