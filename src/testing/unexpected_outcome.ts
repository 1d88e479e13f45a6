import { AgentError } from "../agents/base/agent_error.ts";

/** Raised when a test's precondition did not come about. */
export class UnexpectedOutcomeError extends AgentError {
  readonly code = "unexpected_outcome";
  readonly retryable = false;
}

/** The typed error that the work ends in. @throws UnexpectedOutcomeError when it ends well; any other error as it is */
export async function errorOf(work: Promise<unknown>): Promise<AgentError> {
  const outcome = await work.then(
    () => new UnexpectedOutcomeError("It went through, and was expected to be refused"),
    (error: unknown) => error,
  );
  if (outcome instanceof AgentError && !(outcome instanceof UnexpectedOutcomeError)) return outcome;
  throw outcome;
}
