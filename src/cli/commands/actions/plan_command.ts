import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { addActions } from "./action_commands.ts";
import type { RequestSource } from "./action_request.ts";
import type { Execute } from "../../invocation/execute.ts";
import { planLines } from "../../output/plan_text.ts";
import type { Invocation } from "../../invocation/invocation.ts";
import { report, type Report } from "../../invocation/command_report.ts";
import { planReportSchema } from "../../../service/report_schemas.ts";

export function addPlan(program: CommandUnknownOpts, execute: Execute): void {
  const plan = program.command("plan").description("show what an action would change; nothing is written");
  addActions(plan, (source) => execute("plan", (invocation) => showPlan(invocation, source)));
}

async function showPlan(invocation: Invocation, source: RequestSource): Promise<Report> {
  const remote = await invocation.remote();
  if (remote !== null) {
    const plan = await remote.ask(planReportSchema, "/v1/plans", { body: await source() });
    return report(planReportSchema, plan, planLines);
  }
  return invocation.withDeployer(async (deployer) => {
    const request = await source();
    const { deployment_plan: plan } = await invocation.terminal.withProgress("planning", async (tell) => {
      const { runAction } = await import("../../../service/actions/run_action.ts");
      return runAction(deployer, request, { effects: "dry-run", signal: invocation.signal, tell });
    });
    return report(planReportSchema, planReportSchema.parse(plan), planLines);
  });
}
