import { setTimeout as delay } from "node:timers/promises";
import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { isRolloutOpen } from "../../../agents/model_deployer/domain/traffic/rollout.ts";
import type { Observer } from "../../../wiring/observer.ts";
import { type ExitCode, exitCodes } from "../../invocation/exit_codes.ts";
import { gatherStatus } from "../../../service/status/gather_status.ts";
import type { Execute } from "../../invocation/execute.ts";
import type { Invocation } from "../../invocation/invocation.ts";
import { report, type Report } from "../../invocation/command_report.ts";
import { type StatusReport, statusReportSchema } from "../../../service/report_schemas.ts";
import { statusLines } from "../../output/views/status_view.ts";
import { unknownEndpoint } from "../../../service/problems/unknown_name.ts";
import { numberBetween } from "../../number_options.ts";

export function addStatus(program: CommandUnknownOpts, execute: Execute): void {
  program
    .command("status [endpoint]")
    .description("traffic, rollout, verdict, servers and open operations")
    .option("-w, --watch", "go on until the rollout has ended, or Ctrl-C")
    .option("--interval <seconds>", "between two looks", numberBetween(0.1, 86_400), 1)
    .action((endpoint, { watch, interval }) =>
      execute("status", (invocation) =>
        looking(invocation, endpoint ?? null, (look) =>
          watch === true ? watchStatus(invocation, look, interval) : showStatus(look),
        ),
      ),
    );
}

type Look = () => Promise<StatusReport>;

/** Looks here, or through the API. */
async function looking(
  invocation: Invocation,
  endpoint: string | null,
  work: (look: Look) => Promise<Report | ExitCode>,
): Promise<Report | ExitCode> {
  const remote = await invocation.remote();
  if (remote !== null)
    return work(() => remote.ask(statusReportSchema, "/v1/status", { query: { endpoint } }));
  return invocation.withObserver((observer) => work(() => known(observer, endpoint)));
}

async function showStatus(look: Look): Promise<Report> {
  const status = await look();
  const code = status.degraded.length === 0 ? exitCodes.done : exitCodes.unavailable;
  return report(statusReportSchema, status, statusLines, code);
}

/**
 * With `--json` one document for each look; lines in place on a terminal; elsewhere the view whenever it has changed.
 */
async function watchStatus(
  { terminal, signal }: Invocation,
  look: Look,
  interval: number,
): Promise<ExitCode> {
  const { stdout } = terminal.streams;
  const { createLogUpdate } = await import("log-update");
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
    const status = await look();
    show(status);
    if (isOver(status)) break;
    await delay(interval * 1000, undefined, { signal }).catch(() => undefined);
  }
  update.done();
  return exitCodes.done;
}

/** Whether every rollout has ended, even before the first look. Where none has begun, one is waited for. */
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
