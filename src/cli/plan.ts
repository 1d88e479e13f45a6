import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { addActions, type RequestSource } from "./action_request.ts";
import type { Execute } from "./program.ts";
import { planLines } from "./plan_view.ts";
import { runAction } from "./run_action.ts";
import { type Invocation, report, type Report } from "./runner.ts";
import { planReportSchema } from "./schemas.ts";

export function addPlan(program: CommandUnknownOpts, execute: Execute): void {
  const plan = program.command("plan").description("show what an action would change; nothing is written");
  addActions(plan, (source) => execute("plan", (invocation) => showPlan(invocation, source)));
}

function showPlan(invocation: Invocation, source: RequestSource): Promise<Report> {
  return invocation.withDeployer(async (deployer) => {
    const request = await source(deployer.database);
    const { deployment_plan: plan } = await invocation.terminal.withProgress("planning", (tell) =>
      runAction(deployer, request, { effects: "dry-run", signal: invocation.signal, tell }),
    );
    return report(planReportSchema, planReportSchema.parse(plan), planLines);
  });
}
