import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import type { ModelDeployer } from "../../../wiring/model_deployer.ts";
import type { ModelDeployerRequest } from "../../../agents/model_deployer/state/state.ts";
import { addActions } from "./action_commands.ts";
import type { RequestSource } from "./action_request.ts";
import { applyLines } from "../../output/views/apply_view.ts";
import { exitCodes } from "../../invocation/exit_codes.ts";
import type { Execute } from "../../invocation/execute.ts";
import { appliedReport } from "../../../service/actions/action_reports.ts";
import { planLines } from "../../output/plan_text.ts";
import type { ActionOutcome } from "../../../service/actions/run_action.ts";
import type { RemoteApi } from "../../remote/remote_api.ts";
import type { Invocation } from "../../invocation/invocation.ts";
import { report, type Report } from "../../invocation/command_report.ts";
import { type ApplyReport, applyReportSchema, planReportSchema } from "../../../service/report_schemas.ts";

export interface ApplyOptions {
  /** Whether to show the plan and ask for confirmation on a terminal. */
  asks: boolean;
  /** Does not wait for a registry that is only starting: its updates are delivered later. */
  isHurried?: boolean;
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

/** Shows the plan, asks, carries it out, and reports the outcome. */
export async function applyRequest(
  invocation: Invocation,
  source: RequestSource,
  { asks, isHurried = false }: ApplyOptions,
): Promise<Report> {
  const started = performance.now();
  const remote = await invocation.remote();
  if (remote !== null) return applyRemotely(invocation, remote, source, asks);
  return invocation.withDeployer(
    async (deployer) => {
      const request = await source();
      if (asks && !(await isAgreed(invocation, deployer, request))) return answer(declined, 0);
      const outcome = await invocation.terminal.withProgress("beginning", async (tell) => {
        const { runAction } = await import("../../../service/actions/run_action.ts");
        return runAction(deployer, request, { effects: "live", signal: invocation.signal, tell });
      });
      return answer(outcome, (performance.now() - started) / 1000);
    },
    { registryMayFollow: isHurried },
  );
}

async function isAgreed(
  invocation: Invocation,
  deployer: ModelDeployer,
  request: ModelDeployerRequest,
): Promise<boolean> {
  const { terminal } = invocation;
  if (!terminal.isInteractive) return true;
  const { deployment_plan: plan } = await terminal.withProgress("planning", async (tell) => {
    const { runAction } = await import("../../../service/actions/run_action.ts");
    return runAction(deployer, request, { effects: "dry-run", signal: invocation.signal, tell });
  });
  terminal.err((paint) => planLines(planReportSchema.parse(plan), paint));
  return invocation.confirm("Carry it out?");
}

/** The same through the API, which goes on with what a caller no longer waits for. */
async function applyRemotely(
  invocation: Invocation,
  remote: RemoteApi,
  source: RequestSource,
  asks: boolean,
): Promise<Report> {
  const { terminal } = invocation;
  const body = await source();
  if (asks && terminal.isInteractive) {
    const plan = await terminal.withProgress("planning", () =>
      remote.ask(planReportSchema, "/v1/plans", { body }),
    );
    terminal.err((paint) => planLines(plan, paint));
    if (!(await invocation.confirm("Carry it out?"))) return answer(declined, 0);
  }
  const data = await terminal.withProgress("carrying it out", () =>
    remote.ask(applyReportSchema, "/v1/actions", { body }),
  );
  return applied(data);
}

const declined: ActionOutcome = { status: "declined", warnings: [], degraded: [] };

function answer(outcome: ActionOutcome, seconds: number): Report {
  return applied(appliedReport(outcome, seconds));
}

function applied(data: ApplyReport): Report {
  const code = data.status === "in_progress" ? exitCodes.in_progress : exitCodes.done;
  return report(applyReportSchema, data, applyLines, data.status === "declined" ? exitCodes.refused : code);
}
