import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { exitCodes } from "./exit_codes.ts";
import type { Execute } from "./program.ts";
import { type Invocation, report, type Report } from "./runner.ts";
import { type ReconciliationView, reconciliationReportSchema } from "./schemas.ts";
import { count } from "../agents/model_deployer/domain/count.ts";
import type { Paint } from "./terminal.ts";

export function addReconcile(program: CommandUnknownOpts, execute: Execute): void {
  program
    .command("reconcile")
    .description("bring MLflow, the router and the servers back to what the database says")
    .action(() => execute("reconcile", reconcile));
}

function reconcile(invocation: Invocation): Promise<Report> {
  const { terminal, signal } = invocation;
  return invocation.withDeployer(async (deployer) => {
    const found = await terminal.withProgress("comparing MLflow, the router and the servers", () =>
      deployer.reconcile({ signal }),
    );
    const isWhole = found.unchecked.length === 0 && found.findings.every((one) => one.outcome === "repaired");
    const code = isWhole ? exitCodes.done : exitCodes.unavailable;
    return report(reconciliationReportSchema, found, reconciliationLines, code);
  });
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
