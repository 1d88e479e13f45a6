import { isDiskFull } from "../agents/model_deployer/file_errors.ts";

/**
 * npm passes on a signal that the terminal has sent already, within milliseconds; a second Ctrl-C by a person takes
 * longer.
 */
const INSISTS_MS = 500;

interface Output {
  on(event: "error", listener: (error: unknown) => void): unknown;
}

interface Signalled {
  stdout: Output;
  stderr: Output;
  on(signal: "SIGINT" | "SIGTERM" | "SIGHUP", listener: () => void): unknown;
  exit(code: number): never;
}

/**
 * Aborted by the first Ctrl-C, SIGTERM or SIGHUP, or when the reader of the output is gone, so that work under way ends
 * in order; a second signal more than half a second later exits at once. The listeners stay for the whole process,
 * since ora's own listener would end it without them.
 */
export function endedBySignals(
  process: Signalled,
  whenStarterEnds: (callBack: () => void) => void = () => undefined,
): AbortSignal {
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
  // Writing to a closed terminal or pipe fails, and work under way ends in order all the same. A full disk under the log
  // loses lines until there is room, and the process goes on.
  for (const output of [process.stdout, process.stderr]) {
    output.on("error", (error) => {
      if (!isDiskFull(error)) ended.abort();
    });
  }
  whenStarterEnds(() => {
    ended.abort();
  });
  return ended.signal;
}
