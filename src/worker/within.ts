import { Deadline } from "../agents/base/deadline.ts";
import { DeadlineExceededError } from "../agents/model_deployer/errors.ts";

interface Limit {
  ms: number;
  /** The limited work, as an error names it. */
  of: string;
  /** Ends it earlier when it aborts. */
  until?: AbortSignal | undefined;
}

/** @throws DeadlineExceededError that names the work, where the work raises no typed error of its own */
export async function within<T>(
  { ms, of, until }: Limit,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const deadline = new Deadline(ms, { of, ...(until && { until }) });
  try {
    return await deadline.run(() => work(deadline.signal));
  } catch (error) {
    if (error !== deadline.signal.reason) throw error;
    throw new DeadlineExceededError(`It was cut: ${deadline.end}.`, { cause: error });
  }
}

/** Aborts this long after the signal has. */
export function delayedAbort(signal: AbortSignal, ms: number): AbortSignal {
  const late = new AbortController();
  const begin = () => void setTimeout(() => late.abort(signal.reason), ms).unref();
  if (signal.aborted) begin();
  else signal.addEventListener("abort", begin, { once: true });
  return late.signal;
}
