import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import type { z } from "zod";
import { InvalidRequestError } from "../../../agents/model_deployer/errors.ts";
import { exitCodes } from "../../invocation/exit_codes.ts";
import type { Execute } from "../../invocation/execute.ts";
import type { Invocation } from "../../invocation/invocation.ts";
import { report, type Report } from "../../invocation/command_report.ts";
import { type Check, doctorReportSchema } from "../../../service/machine/machine_schemas.ts";
import type { Paint } from "../../output/terminal/terminal.ts";

export function addDoctor(program: CommandUnknownOpts, execute: Execute): void {
  program
    .command("doctor")
    .description("check each part and say what to do; starts nothing")
    .option(
      "--engine <engine>",
      "instead of MODEL_DEPLOYER_ENGINE: local, kubernetes, bentocloud, or several as in local,kubernetes",
    )
    .action((options: { engine?: string }) =>
      execute("doctor", (invocation) => examine(invocation, options.engine)),
    );
}

async function examine(invocation: Invocation, engine?: string): Promise<Report> {
  const remote = await invocation.remote();
  if (remote !== null && engine !== undefined) {
    throw new InvalidRequestError(
      "--engine is looked at where the deployer runs: leave it out, or run it there.",
    );
  }
  const found = await invocation.terminal.withProgress("checking", () =>
    remote === null ? examined(invocation, engine) : remote.ask(doctorReportSchema, "/v1/doctor"),
  );
  const code = found.state === "ok" ? exitCodes.done : exitCodes.unavailable;
  return report(doctorReportSchema, found, doctorLines, code);
}

/** Each part of this machine, and the whole of them. */
export async function examined(
  invocation: Invocation,
  engine?: string,
): Promise<z.infer<typeof doctorReportSchema>> {
  const { checkAll } = await import("./doctor_checks.ts");
  const { checks, configuration } = await checkAll(invocation, engine);
  return { state: worst(checks), checks, configuration };
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
