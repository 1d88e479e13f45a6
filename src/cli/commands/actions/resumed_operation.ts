import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { resumedReport } from "../../../service/actions/action_reports.ts";
import { applyLines } from "../../output/views/apply_view.ts";
import { type ExitCode, exitCodes } from "../../invocation/exit_codes.ts";
import type { Execute } from "../../invocation/execute.ts";
import type { Invocation } from "../../invocation/invocation.ts";
import { report, type Report } from "../../invocation/command_report.ts";
import { type ResumptionReport, resumptionReportSchema } from "../../../service/report_schemas.ts";
import type { Paint } from "../../output/terminal/terminal.ts";

export function addResumeOperation(program: CommandUnknownOpts, execute: Execute): void {
  program
    .command("resume-operation <operation>")
    .description("carry an operation on: one that was interrupted, or that has been approved")
    .action((operation) => execute("resume-operation", (invocation) => resume(invocation, operation)));
}

const codes = {
  completed: exitCodes.done,
  undone: exitCodes.failed,
  refused: exitCodes.refused,
} as const satisfies Record<ResumptionReport["status"], ExitCode>;

async function resume(invocation: Invocation, operationId: string): Promise<Report> {
  const { terminal, signal } = invocation;
  const remote = await invocation.remote();
  if (remote !== null) {
    const path = `/v1/operations/${encodeURIComponent(operationId)}/resumptions`;
    const data = await remote.ask(resumptionReportSchema, path, { method: "POST" });
    return report(resumptionReportSchema, data, resumptionLines, codes[data.status]);
  }
  const started = performance.now();
  return invocation.withDeployer(async (deployer) => {
    const resumed = await terminal.withProgress(`carrying ${operationId} on`, (tell) =>
      deployer.resume(operationId, { signal, onProgress: tell }),
    );
    const { parts, settings } = deployer;
    const { createCapabilities } = await import("../../../agents/model_deployer/capabilities.ts");
    const { delivery } = createCapabilities(parts, settings);
    const data = await resumedReport(
      { database: deployer.database, deliver: (options) => delivery.deliver(ENTRIES, options) },
      resumed,
      () => (performance.now() - started) / 1000,
    );
    return report(resumptionReportSchema, data, resumptionLines, codes[data.status]);
  });
}

const ENTRIES = 20;

function resumptionLines(
  { status, action, reason, ...data }: ResumptionReport,
  paint: Paint,
  columns: number,
): string[] {
  if (status === "completed") return [...applyLines({ ...data, status }, paint, columns), `  ${reason}`];
  return [
    `${paint.bold(paint.red(status))}  ${action} ${data.operation_id ?? ""}`,
    `  ${reason}`,
    ...data.degraded.map((part) => paint.yellow(`  degraded: ${part}`)),
  ];
}
