import type { ExitCode } from "./exit_codes.ts";
import type { Invocation } from "./invocation.ts";
import type { Report } from "./command_report.ts";

/** Runs a command's work and keeps its exit code. */
export type Execute = (
  command: string,
  work: (invocation: Invocation) => Promise<Report | ExitCode>,
) => Promise<void>;
