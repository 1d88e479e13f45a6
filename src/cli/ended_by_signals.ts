/** npm hands on what the terminal has sent already, within milliseconds; who presses Ctrl-C again takes longer. */
const INSISTS_MS = 500;

interface Signalled {
  on(signal: "SIGINT" | "SIGTERM", listener: () => void): unknown;
  exit(code: number): never;
}

/**
 * Aborted by the first Ctrl-C or SIGTERM, so that what is under way ends in order; one that comes later than half a
 * second after it exits at once. The listeners stay: where a listener of one call has gone, ora's own ends the process.
 */
export function endedBySignals(process: Signalled): AbortSignal {
  const ended = new AbortController();
  let since = 0;
  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const) {
    process.on(signal, () => {
      if (!ended.signal.aborted) since = performance.now();
      else if (performance.now() - since > INSISTS_MS) process.exit(code);
      ended.abort();
    });
  }
  return ended.signal;
}
