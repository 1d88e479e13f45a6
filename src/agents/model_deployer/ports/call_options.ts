/**
 * Options of every call of a port. A method that crosses a process takes a `signal` and raises `ServiceUnavailableError`
 * when the part does not answer; other errors stand beside the method.
 */

export interface CallOptions {
  /** Aborted when the caller's deadline has passed. */
  signal: AbortSignal;
}

/** Options of a call that may take minutes: when the signal ends the wait, the same call again continues it. */
export interface LongCallOptions extends CallOptions {
  /** Called with sentences for people: the work under way, its progress, and its limit. */
  onProgress?: (line: string) => void;
}
