/** npm hands on what the terminal has sent already, within milliseconds; who presses Ctrl-C again takes longer. */
const INSISTS_MS = 500;

interface Output {
  on(event: "error", listener: () => void): unknown;
}

interface Signalled {
  stdout: Output;
  stderr: Output;
  on(signal: "SIGINT" | "SIGTERM" | "SIGHUP", listener: () => void): unknown;
  exit(code: number): never;
}

/**
 * Aborted by the first Ctrl-C, SIGTERM or SIGHUP, or when nobody reads any more what is printed, so that what is under way ends in order; one that comes later than half a
 * second after it exits at once. The listeners stay: where a listener of one call has gone, ora's own ends the process.
 */
export function endedBySignals(process: Signalled): AbortSignal {
  const ended = new AbortController();
  let since = 0;
  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const) {
    process.on(signal, () => {
      if (!ended.signal.aborted) since = performance.now();
      else if (performance.now() - since > INSISTS_MS) process.exit(code);
      ended.abort();
    });
  }
  // A closed terminal or pipe: to write into it fails, and what is under way ends in order all the same.
  for (const output of [process.stdout, process.stderr]) {
    output.on("error", () => {
      ended.abort();
    });
  }
  return ended.signal;
}
