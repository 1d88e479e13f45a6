import { PassThrough } from "node:stream";

/** The streams of a command whose words are kept as they come; nobody sits at its terminal. */
export function caughtStreams() {
  const streams = { stdin: new PassThrough(), stdout: new PassThrough(), stderr: new PassThrough() };
  const printed = { out: "", err: "" };
  streams.stdout.on("data", (chunk: Buffer) => (printed.out += chunk.toString()));
  streams.stderr.on("data", (chunk: Buffer) => (printed.err += chunk.toString()));
  return { streams, printed };
}
