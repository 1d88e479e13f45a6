import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { downLines, downPlanLines } from "../../output/views/down_view.ts";
import { exitCodes } from "../../invocation/exit_codes.ts";
import type { Execute } from "../../invocation/execute.ts";
import type { Invocation } from "../../invocation/invocation.ts";
import { attendantsOf } from "../../../platform/processes/homes/attendants.ts";
import { report, type Report } from "../../invocation/command_report.ts";
import { type DownReport, downReportSchema } from "../../../service/machine/machine_schemas.ts";

interface Options {
  /** Routers and model servers too. */
  all: boolean;
  asks: boolean;
}

export function addDown(program: CommandUnknownOpts, execute: Execute): void {
  program
    .command("down")
    .description(
      "stop this home's own Postgres, Redis and MLflow, and the commands that work with them; what serves answers on",
    )
    .option("--all", "stop its routers and model servers too: production answers no longer")
    .option("-y, --yes", "do not ask")
    .action(({ all, yes }) =>
      execute("down", (invocation) => down(invocation, { all: all === true, asks: yes !== true })),
    );
}

/** Shows which parts will be stopped and which go on, asks, and stops them; needs no database. */
async function down(invocation: Invocation, { all, asks }: Options): Promise<Report> {
  const { terminal } = invocation;
  const { home } = await invocation.configuration();
  const { runningParts, stopHome } = await import("../../../platform/processes/homes/stop_home.ts");
  const parts = await runningParts(home);
  const services = parts.filter(({ kind }) => kind === "service").map(({ name }) => name);
  const ended = (await attendantsOf(home)).filter(
    ({ needs }) => all || needs.some((one) => services.includes(one)),
  );
  const commands = ended.map(({ command, pid }) => ({
    kind: "command" as const,
    name: command,
    process: pid,
  }));
  const stopped = [...commands, ...parts.filter(({ kind }) => all || kind === "service")];
  const going_on = parts.filter(({ kind }) => !all && kind !== "service");
  const answer = (status: DownReport["status"]): Report => {
    const how = howToStop(status, { stopped, going_on });
    const data = { status, home, stopped: status === "stopped" ? stopped : [], going_on, how };
    const code = status === "declined" ? exitCodes.refused : exitCodes.done;
    return report(downReportSchema, data, downLines, code);
  };
  if (stopped.length === 0) return answer("nothing");
  if (asks && terminal.isInteractive) {
    terminal.err((paint) => downPlanLines({ stopped, going_on }, paint));
    if (!(await invocation.confirm("Stop them?"))) return answer("declined");
  }
  await terminal.withProgress("stopping", async () => {
    if (all) return stopHome(home);
    const { stopLocalServices } = await import("../../../platform/services/local_services.ts");
    await stopLocalServices(home);
  });
  return answer("stopped");
}

function howToStop(
  status: DownReport["status"],
  { stopped, going_on }: Pick<DownReport, "stopped" | "going_on">,
): string | null {
  if (status === "declined") return null;
  const serving =
    going_on.length > 0 ? "Routers and model servers go on; `down --all` stops them too." : null;
  const again = "The next command starts the services that it needs again.";
  const said = [...(serving === null ? [] : [serving]), ...(stopped.length > 0 ? [again] : [])];
  return said.length === 0 ? null : said.join(" ");
}
