import { setTimeout as delay } from "node:timers/promises";
import { AgentError } from "../agents/base/agent_error.ts";

/** Raised when an awaited condition does not come about in time. */
export class PollTimeoutError extends AgentError {
  readonly code = "poll_timeout";
  readonly retryable = false;
}

export interface PollOptions {
  deadlineMs: number;
  /** The awaited condition, for the error's message. */
  what: string;
  intervalMs?: number;
}

/**
 * Calls `look` until it gives something other than `undefined`, `null` or `false`, and returns that. An error that `look`
 * raises counts as "not yet" and becomes the cause of the timeout.
 *
 * @throws PollTimeoutError
 */
export async function pollUntil<T>(
  look: () => T | Promise<T>,
  options: PollOptions,
): Promise<Exclude<T, undefined | null | false>> {
  const deadline = Date.now() + options.deadlineMs;
  let cause: unknown;
  do {
    try {
      const found = await look();
      if (isFound(found)) return found;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    await delay(options.intervalMs ?? 25);
  } while (Date.now() < deadline);
  throw new PollTimeoutError(`no ${options.what} within ${options.deadlineMs} ms`, { cause });
}

function isFound<T>(value: T): value is Exclude<T, undefined | null | false> {
  return value !== undefined && value !== null && value !== false;
}
