import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { ALL } from "../../../agents/model_deployer/domain/access/roles.ts";
import { rehearsalReportSchema } from "../../../service/machine/keeping_schemas.ts";
import { unknownEndpoint } from "../../../service/problems/unknown_name.ts";
import { exitCodes } from "../../invocation/exit_codes.ts";
import type { Execute } from "../../invocation/execute.ts";
import { authorizedActor } from "../../invocation/requester.ts";
import type { Invocation } from "../../invocation/invocation.ts";
import { report, type Report } from "../../invocation/command_report.ts";

const NEEDS = { right: "act", extent: ALL, subject: "rehearsals of the ways back" } as const;

export function addRehearse(program: CommandUnknownOpts, execute: Execute): void {
  program
    .command("rehearse [endpoint]")
    .description("start the way back of each production endpoint once, without traffic and without network")
    .action((endpoint) => execute("rehearse", (invocation) => rehearsed(invocation, endpoint ?? null)));
}

async function rehearsed(invocation: Invocation, endpointName: string | null): Promise<Report> {
  const configuration = await invocation.configuration();
  const { terminal, signal } = invocation;
  return invocation.withObserver(async ({ database }) => {
    if (endpointName !== null && (await database.endpoints.get(endpointName)) === null) {
      throw await unknownEndpoint(endpointName, database);
    }
    const { who: by } = await authorizedActor(invocation, database, NEEDS);
    const { rehearseHome } = await import("../../../wiring/keeping/rehearsed_home.ts");
    const rehearsals = await terminal.withProgress("rehearsing", () =>
      rehearseHome(configuration, database, { endpointName, by, signal }),
    );
    const isBad = rehearsals.some(({ outcome }) => outcome === "fails" || outcome === "unready");
    return report(
      rehearsalReportSchema,
      { rehearsals },
      (data, paint) =>
        data.rehearsals.length === 0
          ? ["Nothing serves production here."]
          : data.rehearsals.map(({ endpoint_name, outcome, cold_seconds, reason }) => {
              const mark = outcome === "works" ? paint.green(outcome) : paint.yellow(outcome);
              const time = cold_seconds === null ? "" : `, ${cold_seconds.toFixed(1)} s from cold`;
              return `${endpoint_name}: ${mark}${time}: ${reason}`;
            }),
      isBad ? exitCodes.unavailable : exitCodes.done,
    );
  });
}
