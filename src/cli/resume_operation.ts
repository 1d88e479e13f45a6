import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { createCapabilities } from "../agents/model_deployer/capabilities.ts";
import type { ModelDeployer } from "../agents/model_deployer/create_model_deployer.ts";
import { answerSchema } from "../agents/model_deployer/domain/answer.ts";
import type { Resumption } from "../agents/model_deployer/resume_operation.ts";
import { answerOf } from "./apply.ts";
import { applyLines } from "./apply_view.ts";
import { type ExitCode, exitCodes } from "./exit_codes.ts";
import type { Execute } from "./program.ts";
import { type Invocation, report, type Report } from "./runner.ts";
import { type ResumptionReport, resumptionReportSchema } from "./schemas.ts";
import type { Paint } from "./terminal.ts";

export function addResumeOperation(program: CommandUnknownOpts, execute: Execute): void {
  program
    .command("resume-operation <operation>")
    .description("carry an operation on: one that was interrupted, or that has been approved")
    .action((operation) => execute("resume-operation", (invocation) => resume(invocation, operation)));
}

const ends = {
  finished: { status: "completed", code: exitCodes.done },
  undone: { status: "undone", code: exitCodes.failed },
  refused: { status: "refused", code: exitCodes.refused },
} as const satisfies Record<Resumption["outcome"], { status: ResumptionReport["status"]; code: ExitCode }>;

function resume(invocation: Invocation, operationId: string): Promise<Report> {
  const { terminal, signal } = invocation;
  const started = performance.now();
  return invocation.withDeployer(async (deployer) => {
    const resumed = await terminal.withProgress(`carrying ${operationId} on`, (tell) =>
      deployer.resume(operationId, { signal, onProgress: tell }),
    );
    const { status, code } = ends[resumed.outcome];
    const operation = await deployer.database.operations.get(operationId);
    const result = answerSchema.safeParse(operation?.result).data;
    const outcome = {
      ...result,
      operation_id: operationId,
      warnings: result?.notes ?? [],
      degraded: await deliver(deployer),
    };
    const { action, reason } = resumed;
    const data = { ...answerOf(outcome, (performance.now() - started) / 1000), status, action, reason };
    return report(resumptionReportSchema, data, resumptionLines, code);
  });
}

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

const DELIVERY_MS = 3000;

async function deliver({ parts, settings }: ModelDeployer): Promise<string[]> {
  return createCapabilities(parts, settings).delivery.deliver(20, {
    signal: AbortSignal.timeout(DELIVERY_MS),
  });
}
