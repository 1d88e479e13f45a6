import type { ExitCode } from "./exit_codes.ts";
import type { Invocation, Report } from "./runner.ts";

/** Runs a command's work and keeps its exit code. */
export type Execute = (
  command: string,
  work: (invocation: Invocation) => Promise<Report | ExitCode>,
) => Promise<void>;
