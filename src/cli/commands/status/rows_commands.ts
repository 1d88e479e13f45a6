import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { Deadline } from "../../../agents/base/deadline.ts";
import { disagreementsReport } from "../../../service/rows/disagreements_report.ts";
import { experimentOfReplay, replayReport } from "../../../service/rows/replay_report.ts";
import {
  disagreementsSchema,
  MOST_ROWS,
  type Replay,
  type ReplayRequest,
  replaySchema,
} from "../../../service/rows/row_schemas.ts";
import { report, type Report } from "../../invocation/command_report.ts";
import type { Execute } from "../../invocation/execute.ts";
import { exitCodes } from "../../invocation/exit_codes.ts";
import type { Invocation } from "../../invocation/invocation.ts";
import { authorizedActor } from "../../invocation/requester.ts";
import { wholeNumberBetween } from "../../number_options.ts";
import { disagreementLines, replayLines } from "../../output/views/rows_view.ts";
import { replayInParts } from "../../remote/remote_rows.ts";
import { rowsOfFile } from "./row_file.ts";

const SENDING_MS = 600_000;
const aNumberOfRows = wholeNumberBetween(1, MOST_ROWS);

export function addRows(program: CommandUnknownOpts, execute: Execute): void {
  program
    .command("disagreements <endpoint>")
    .description(
      "kept requests whose answers differ most between two deployments; policy set --rows keeps them",
    )
    .option("--limit <count>", "so many at most; 20 by default", aNumberOfRows)
    .action((endpoint, { limit }) =>
      execute("disagreements", (invocation) => disagreements(invocation, endpoint, limit ?? 20)),
    );
  program
    .command("replay <version>")
    .description(
      "send rows to a version that is served without traffic, such as at staging, and tell what it answers",
    )
    .requiredOption(
      "--from <rows>",
      "an endpoint whose kept rows are sent, or a file of JSON lines with path and input",
    )
    .option("--limit <count>", "so many at most; 200 by default", aNumberOfRows)
    .action((version, { from, limit }) =>
      execute("replay", (invocation) => replayed(invocation, version, from, limit ?? 200)),
    );
}

async function disagreements(invocation: Invocation, endpoint: string, limit: number): Promise<Report> {
  const remote = await invocation.remote();
  const path = `/v1/endpoints/${encodeURIComponent(endpoint)}/disagreements`;
  const data =
    remote === null
      ? await invocation.withObserver((observer) => disagreementsReport(observer, endpoint, { limit }))
      : await remote.ask(disagreementsSchema, path, { query: { limit } });
  return report(disagreementsSchema, data, disagreementLines);
}

async function replayed(
  invocation: Invocation,
  model_version_id: string,
  from: string,
  limit: number,
): Promise<Report> {
  const rows = await rowsOfFile(from, limit);
  const deadline = new Deadline(SENDING_MS, { of: "a replay", until: invocation.signal });
  const request = { model_version_id, from: rows === null ? { endpoint_name: from } : { rows }, limit };
  const remote = await invocation.remote();
  const answered =
    remote === null
      ? await sentHere(invocation, request, deadline)
      : await whileTelling(invocation, () =>
          rows === null
            ? remote.ask(replaySchema, "/v1/replays", { body: request })
            : replayInParts(remote, { model_version_id, rows }, deadline),
        );
  const code = answered.why_partial === null ? exitCodes.done : exitCodes.unavailable;
  return report(replaySchema, { ...answered, from }, replayLines, code);
}

/** Whoever shows a token has the same right as through the API. */
async function sentHere(invocation: Invocation, request: ReplayRequest, deadline: Deadline): Promise<Replay> {
  return invocation.withObserver(async (observer) => {
    const { database } = observer;
    const extent = await experimentOfReplay(database, request);
    await authorizedActor(invocation, database, { right: "act", extent, subject: "replay" });
    return whileTelling(invocation, () =>
      replayReport(observer, request, { signal: invocation.signal, deadline }),
    );
  });
}

const whileTelling = (invocation: Invocation, send: () => Promise<Replay>): Promise<Replay> =>
  invocation.terminal.withProgress("sending rows", send);
