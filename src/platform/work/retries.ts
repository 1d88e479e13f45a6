import { ExponentialBackoff, fullJitterGenerator, handleWhen, retry, type RetryPolicy } from "cockatiel";

interface Retries {
  /** Attempts in all, the first one included. */
  attempts: number;
  /** Bound of the first pause; each bound is twice the one before, and a pause is drawn below its bound (full jitter). */
  firstPauseMs: number;
  longestPauseMs: number;
}

/** Retries work whose error `isPassing`, for calls that may be repeated without harm. */
export function retrying(
  isPassing: (error: unknown) => boolean,
  { attempts, firstPauseMs, longestPauseMs }: Retries,
): RetryPolicy {
  return retry(handleWhen(isPassing), {
    maxAttempts: attempts - 1,
    backoff: new ExponentialBackoff({
      generator: fullJitterGenerator,
      initialDelay: firstPauseMs,
      maxDelay: longestPauseMs,
    }),
  });
}
