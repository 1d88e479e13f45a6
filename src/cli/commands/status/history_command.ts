import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { historyLines } from "../../output/views/history_view.ts";
import type { Execute } from "../../invocation/execute.ts";
import { type HistoryOptions, historyReport } from "../../../service/status/history_report.ts";
import type { Invocation } from "../../invocation/invocation.ts";
import { report } from "../../invocation/command_report.ts";
import { type HistoryReport, historyReportSchema } from "../../../service/status/history_schemas.ts";
import { wholeNumberBetween } from "../../number_options.ts";

export function addHistory(program: CommandUnknownOpts, execute: Execute): void {
  program
    .command("history <subject>")
    .description("what was in production when and why, of an endpoint or an experiment")
    .option("--at <instant>", "what had the traffic then: ISO 8601, such as 2026-03-01T12:00:00Z")
    .option("--limit <count>", "the last so many events and memories", wholeNumberBetween(1, 10_000), 50)
    .action((subject, options) =>
      execute("history", (invocation) =>
        found(invocation, subject, options).then((data) => report(historyReportSchema, data, historyLines)),
      ),
    );
}

async function found(
  invocation: Invocation,
  subject: string,
  options: HistoryOptions,
): Promise<HistoryReport> {
  const path = `/v1/history/${encodeURIComponent(subject)}`;
  const remote = await invocation.remote();
  if (remote !== null) return remote.ask(historyReportSchema, path, { query: { ...options } });
  return invocation.withObserver((observer) => historyReport(observer, subject, options));
}
