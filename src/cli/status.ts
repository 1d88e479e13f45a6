import { setTimeout as delay } from "node:timers/promises";
import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { createLogUpdate } from "log-update";
import { isRolloutOpen } from "../agents/model_deployer/domain/rollout.ts";
import type { Observer } from "../observer.ts";
import { type ExitCode, exitCodes } from "./exit_codes.ts";
import { gatherStatus } from "./gather_status.ts";
import type { Execute } from "./program.ts";
import { type Invocation, report, type Report } from "./runner.ts";
import { type StatusReport, statusReportSchema } from "./schemas.ts";
import { statusLines } from "./status_view.ts";
import { unknownEndpoint } from "./unknown_name.ts";

export function addStatus(program: CommandUnknownOpts, execute: Execute): void {
  program
    .command("status [endpoint]")
    .description("traffic, rollout, verdict, servers and open operations")
    .option("-w, --watch", "go on until the rollout has ended, or Ctrl-C")
    .option("--interval <seconds>", "between two looks", Number, 1)
    .action((endpoint, { watch, interval }) =>
      execute("status", (invocation) =>
        invocation.withObserver<Report | ExitCode>((observer) =>
          watch === true
            ? watchStatus(invocation, observer, endpoint ?? null, interval)
            : showStatus(observer, endpoint ?? null),
        ),
      ),
    );
}

async function showStatus(observer: Observer, endpoint: string | null): Promise<Report> {
  const status = await known(observer, endpoint);
  const code = status.degraded.length === 0 ? exitCodes.done : exitCodes.unavailable;
  return report(statusReportSchema, status, statusLines, code);
}

/** One document a look with `--json`; lines in place on a terminal; whatever changes where there is none. */
async function watchStatus(
  { terminal, signal }: Invocation,
  observer: Observer,
  endpoint: string | null,
  interval: number,
): Promise<ExitCode> {
  const { stdout } = terminal.streams;
  const update = createLogUpdate(stdout);
  let last = "";
  const show = (status: StatusReport) => {
    const lines = statusLines(status, terminal.paint, terminal.columns);
    if (terminal.json) terminal.out([JSON.stringify(statusReportSchema.parse(status))]);
    else if (stdout.isTTY === true) update(terminal.fitted(lines).join("\n"));
    else if (lines.join("\n") !== last) terminal.out(lines);
    last = lines.join("\n");
  };
  while (!signal.aborted) {
    const status = await known(observer, endpoint);
    show(status);
    if (isOver(status)) break;
    await delay(interval * 1000, undefined, { signal }).catch(() => undefined);
  }
  update.done();
  return exitCodes.done;
}

/** Every rollout that there was has ended, be it before the first look. Where none has begun, one is waited for. */
function isOver({ endpoints }: StatusReport): boolean {
  return endpoints.some((one) => one.rollout !== null) && !endpoints.some(hasOpenRollout);
}

function hasOpenRollout({ rollout }: StatusReport["endpoints"][number]): boolean {
  return rollout !== null && isRolloutOpen(rollout);
}

async function known(observer: Observer, endpoint: string | null): Promise<StatusReport> {
  const status = await gatherStatus(observer, endpoint);
  if (endpoint === null || status.endpoints.length > 0) return status;
  throw await unknownEndpoint(endpoint, observer.database);
}
