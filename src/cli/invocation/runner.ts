import { AgentError } from "../../agents/base/agent_error.ts";
import { typedFileError } from "../../agents/model_deployer/file_errors.ts";
import { goesOnSentence } from "../output/views/down_view.ts";
import { errorView } from "../../service/problems/error_view.ts";
import { errorLines } from "../output/error_lines.ts";
import { type ExitCode, exitCodeOf } from "./exit_codes.ts";
import { unlessInterrupted } from "../../service/actions/interrupted.ts";
import { SCHEMA_VERSION } from "../../service/report_schemas.ts";
import type { Terminal } from "../output/terminal/terminal.ts";
import type { Invocation } from "./invocation.ts";
import type { Report } from "./command_report.ts";

/** Runs one command to its exit code; an error that it raises is reported in one block. */
export async function runCommand(
  command: string,
  invocation: Invocation,
  work: (invocation: Invocation) => Promise<Report | ExitCode>,
): Promise<ExitCode> {
  const { terminal } = invocation;
  try {
    const outcome = await work(invocation);
    if (typeof outcome === "number") return outcome;
    if (terminal.json) printJson(terminal, { command, data: outcome.data });
    else terminal.out(outcome.lines(terminal.paint, terminal.columns));
    return outcome.code;
  } catch (thrown) {
    const error = unlessInterrupted(typedFileError(thrown), invocation.signal);
    const code = exitCodeOf(error);
    const view = errorView(error);
    if (terminal.json) printJson(terminal, { command, error: view, exit_code: code });
    else terminal.err((paint) => errorLines(view, paint));
    if (
      !(error instanceof AgentError) &&
      error instanceof Error &&
      invocation.environment["DEBUG"] !== undefined
    )
      terminal.err(() => [error.stack ?? ""]);
    return code;
  } finally {
    tellWhatGoesOn(invocation);
  }
}

/**
 * Says in one sentence which started services go on. A script reads one document, so that only `down --json` says it.
 */
function tellWhatGoesOn({ terminal, begun }: Invocation): void {
  const sentence = goesOnSentence(begun);
  if (sentence !== null && !terminal.json) terminal.err((paint) => [paint.dim(sentence)]);
}

function printJson(terminal: Terminal, body: Record<string, unknown>): void {
  terminal.out([JSON.stringify({ schema_version: SCHEMA_VERSION, ...body }, null, 2)]);
}
