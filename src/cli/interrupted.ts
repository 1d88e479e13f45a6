import { AgentError } from "../agents/base/agent_error.ts";

/** Raised when Ctrl-C or SIGTERM ended a command before its end; `operation_id` in its details is what it left. */
export class InterruptedError extends AgentError {
  readonly code = "interrupted";
  readonly retryable = true;
}

/** The error as it is, unless it only says that somebody ended the command. */
export function unlessInterrupted(
  error: unknown,
  signal: AbortSignal,
  operationId: string | null = null,
): unknown {
  if (!signal.aborted || error instanceof InterruptedError || !mayComeOfAnEnd(error)) return error;
  const left = operationId === null ? "" : `; operation ${operationId} is left where its journal says`;
  const details = operationId === null ? {} : { operation_id: operationId };
  return new InterruptedError(`Ended from outside before it was done${left}.`, { cause: error, details });
}

/** A mistake or a final refusal would have come without it too. */
function mayComeOfAnEnd(error: unknown): boolean {
  return error instanceof AgentError
    ? error.retryable
    : error instanceof Error && error.name === "AbortError";
}
