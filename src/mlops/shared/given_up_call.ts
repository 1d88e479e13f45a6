import { AgentError } from "../../agents/base/agent_error.ts";
import { ServiceUnavailableError } from "../../agents/model_deployer/errors.ts";

/**
 * Does the work of a call; where its signal ends it, whatever it then raises is told as the call that was given up.
 * @param call what was called, such as `the router of churn`
 * @throws ServiceUnavailableError in place of an untyped error after the signal's end; every other error as it is
 */
export async function givenUpAsTyped<T>(
  { service, call, signal }: { service: string; call: string; signal: AbortSignal },
  work: () => Promise<T>,
): Promise<T> {
  try {
    signal.throwIfAborted();
    return await work();
  } catch (cause) {
    if (cause instanceof AgentError || !signal.aborted) throw cause;
    const message = `the call to ${call} was given up before it was done`;
    throw new ServiceUnavailableError(service, message, { cause });
  }
}
