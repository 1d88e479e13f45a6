import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { checkAll } from "./doctor_checks.ts";
import { exitCodes } from "./exit_codes.ts";
import type { Execute } from "./program.ts";
import { type Invocation, report, type Report } from "./runner.ts";
import { type Check, doctorReportSchema } from "./schemas.ts";
import type { Paint } from "./terminal.ts";

export function addDoctor(program: CommandUnknownOpts, execute: Execute): void {
  program
    .command("doctor")
    .description("check each part and say what to do; starts nothing")
    .action(() => execute("doctor", examine));
}

async function examine(invocation: Invocation): Promise<Report> {
  const { checks, configuration } = await invocation.terminal.withProgress("checking", () =>
    checkAll(invocation),
  );
  const state = worst(checks);
  const code = state === "ok" ? exitCodes.done : exitCodes.unavailable;
  return report(doctorReportSchema, { state, checks, configuration }, doctorLines, code);
}

function worst(checks: Check[]): Check["state"] {
  if (checks.some((check) => check.state === "down")) return "down";
  return checks.some((check) => check.state === "degraded") ? "degraded" : "ok";
}

function doctorLines(
  {
    checks,
    configuration,
    state,
  }: { checks: Check[]; configuration: Record<string, string>; state: Check["state"] },
  paint: Paint,
): string[] {
  const marks = { ok: paint.green("ok  "), degraded: paint.yellow("weak"), down: paint.red("down") };
  const names = Math.max(0, ...Object.keys(configuration).map((name) => name.length));
  const width = Math.max(...checks.map((check) => check.part.length));
  return [
    ...checks.flatMap((check) => [
      `${marks[check.state]}  ${check.part.padEnd(width)}  ${check.found}`,
      ...(check.advice === null ? [] : [`      ${" ".repeat(width)}  ${paint.cyan(`→ ${check.advice}`)}`]),
    ]),
    "",
    paint.bold("Configuration"),
    ...Object.entries(configuration).map(([name, value]) => `  ${name.padEnd(names)}  ${value}`),
    "",
    state === "ok" ? paint.green("everything answers") : paint.yellow(`the whole is ${state}`),
  ];
}
