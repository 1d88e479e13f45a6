import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import type { ModelDeployer } from "../agents/model_deployer/create_model_deployer.ts";
import type { ModelDeployerRequest } from "../agents/model_deployer/state.ts";
import { addActions, type RequestSource } from "./action_request.ts";
import { applyLines } from "./apply_view.ts";
import { exitCodes } from "./exit_codes.ts";
import type { Execute } from "./program.ts";
import { planLines } from "./plan_view.ts";
import { type ActionOutcome, runAction } from "./run_action.ts";
import { type Invocation, report, type Report } from "./runner.ts";
import { type ApplyReport, applyReportSchema, planReportSchema } from "./schemas.ts";

export interface ApplyOptions {
  /** Shows the plan, and asks where somebody can answer. */
  asks: boolean;
}

export function addApply(program: CommandUnknownOpts, execute: Execute): void {
  const apply = program
    .command("apply")
    .description("carry an action out; shows its plan first and asks")
    .option("-y, --yes", "do not ask");
  addActions(apply, (source) =>
    execute("apply", (invocation) => applyRequest(invocation, source, { asks: apply.opts().yes !== true })),
  );
}

/** Shows, asks, acts, and tells what came of it. */
export function applyRequest(
  invocation: Invocation,
  source: RequestSource,
  { asks }: ApplyOptions,
): Promise<Report> {
  const started = performance.now();
  return invocation.withDeployer(async (deployer) => {
    const request = await source(deployer.database);
    if (asks && !(await isAgreed(invocation, deployer, request))) return answer(declined, 0);
    const outcome = await invocation.terminal.withProgress("beginning", (tell) =>
      runAction(deployer, request, { effects: "live", signal: invocation.signal, tell }),
    );
    return answer(outcome, (performance.now() - started) / 1000);
  });
}

async function isAgreed(
  invocation: Invocation,
  deployer: ModelDeployer,
  request: ModelDeployerRequest,
): Promise<boolean> {
  const { terminal } = invocation;
  if (!terminal.isInteractive) return true;
  const { deployment_plan: plan } = await terminal.withProgress("planning", (tell) =>
    runAction(deployer, request, { effects: "dry-run", signal: invocation.signal, tell }),
  );
  terminal.err((paint) => planLines(planReportSchema.parse(plan), paint));
  return invocation.confirm("Carry it out?");
}

const declined: ActionOutcome = { status: "declined", warnings: [], degraded: [] };

function answer(outcome: ActionOutcome, seconds: number): Report {
  const data = answerOf(outcome, seconds);
  const code = data.status === "in_progress" ? exitCodes.in_progress : exitCodes.done;
  return report(applyReportSchema, data, applyLines, data.status === "declined" ? exitCodes.refused : code);
}

/** What an action that was carried out, or begun, is told with. */
export function answerOf(outcome: ActionOutcome, seconds: number): ApplyReport {
  return {
    status: statusOf(outcome.status),
    operation_id: outcome.operation_id ?? null,
    deployment_manifest: outcome.deployment_manifest ?? null,
    version_record: outcome.version_record ?? null,
    rollback_successful: outcome.rollback_successful ?? null,
    active_deployment_id: outcome.active_deployment_id ?? null,
    warnings: outcome.warnings.filter((warning) => !outcome.degraded.includes(warning)),
    degraded: outcome.degraded,
    seconds: Math.round(seconds * 1000) / 1000,
  };
}

function statusOf(status: string | undefined): ApplyReport["status"] {
  return status === "in_progress" || status === "declined" ? status : "completed";
}
