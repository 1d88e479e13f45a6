import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import type { z } from "zod";
import { exitCodes } from "../../invocation/exit_codes.ts";
import type { Execute } from "../../invocation/execute.ts";
import type { Invocation } from "../../invocation/invocation.ts";
import { report, type Report } from "../../invocation/command_report.ts";
import { type ReconciliationView, reconciliationReportSchema } from "../../../service/report_schemas.ts";
import { count } from "../../../agents/model_deployer/planning/wording/count.ts";
import type { Paint } from "../../output/terminal/terminal.ts";

export function addReconcile(program: CommandUnknownOpts, execute: Execute): void {
  program
    .command("reconcile")
    .description("bring MLflow, the router and the servers back to what the database says")
    .action(() => execute("reconcile", reconcile));
}

async function reconcile(invocation: Invocation): Promise<Report> {
  const { terminal, signal } = invocation;
  const compare = <T>(work: () => Promise<T>) =>
    terminal.withProgress("comparing MLflow, the router and the servers", work);
  const remote = await invocation.remote();
  if (remote !== null) {
    const asked = { method: "POST" as const };
    return told(await compare(() => remote.ask(reconciliationReportSchema, "/v1/reconciliations", asked)));
  }
  return invocation.withDeployer(async (deployer) =>
    told(await compare(() => deployer.reconcile({ signal }))),
  );
}

function told(found: z.input<typeof reconciliationReportSchema>): Report {
  const isWhole = found.unchecked.length === 0 && found.findings.every((one) => one.outcome === "repaired");
  const code = isWhole ? exitCodes.done : exitCodes.unavailable;
  return report(reconciliationReportSchema, found, reconciliationLines, code);
}

function reconciliationLines(data: ReconciliationView, paint: Paint): string[] {
  const { checked, findings, in_use, unchecked } = data;
  const { endpoints, servers, versions } = checked;
  const counted = `${count(endpoints, "endpoint")}, ${count(servers, "server")} and ${count(versions, "version")}`;
  const repaired = findings.filter((one) => one.outcome === "repaired").length;
  const result =
    findings.length === 0
      ? paint.green("nothing differs")
      : `${repaired} repaired, ${findings.length - repaired} left`;
  return [
    `${paint.bold(`Looked at ${counted}`)}: ${result}`,
    ...findings.flatMap((one) => findingLines(one, paint)),
    ...in_use.map((sentence) => paint.dim(`  in use    ${sentence}`)),
    ...unchecked.map((sentence) => paint.yellow(`  unchecked ${sentence}`)),
  ];
}

function findingLines(finding: ReconciliationView["findings"][number], paint: Paint): string[] {
  const { part, subject, found, wanted, outcome, why } = finding;
  const colour = outcome === "repaired" ? paint.green : paint.yellow;
  const indent = " ".repeat(12);
  return [
    `  ${colour(outcome.padEnd(8))}  ${part.padEnd(8)}  ${paint.cyan(subject)}`,
    paint.red(`${indent}- ${found}`),
    paint.green(`${indent}+ ${wanted}`),
    ...(why === null ? [] : [paint.yellow(`${indent}${why}`)]),
  ];
}
