import { readFile } from "node:fs/promises";
import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import { z } from "zod";
import {
  apart,
  hasFailed,
  type KeptRow,
  type ReplayedRow,
  rowSchema,
} from "../../../agents/model_deployer/domain/evidence/kept_rows.ts";
import { InvalidRequestError, NotFoundError } from "../../../agents/model_deployer/errors.ts";
import { isStagingEndpoint } from "../../../agents/model_deployer/domain/values/names.ts";
import { engineFor } from "../../../agents/model_deployer/domain/servers/engines.ts";
import { replay } from "../../../agents/model_deployer/collection/row_keeper.ts";
import { count } from "../../../agents/model_deployer/planning/wording/count.ts";
import { parsedJson } from "../../../platform/parsed_json.ts";
import { unknownEndpoint } from "../../../service/problems/unknown_name.ts";
import type { Observer } from "../../../wiring/observer.ts";
import type { Execute } from "../../invocation/execute.ts";
import { disagreementsSchema, replaySchema } from "../../output/rows_reports.ts";
import { report, type Report } from "../../invocation/command_report.ts";
import { aNumber } from "../../number_options.ts";

const MOST_ROWS = 10_000;
const REPLAY_MS = 600_000;
const SHOWN = 160;

export function addRows(program: CommandUnknownOpts, execute: Execute): void {
  program
    .command("disagreements <endpoint>")
    .description(
      "kept requests whose answers differ most between two deployments; policy set --rows keeps them",
    )
    .option("--limit <count>", "so many at most; 20 by default", aNumber)
    .action((endpoint, { limit }) =>
      execute("disagreements", (invocation) =>
        invocation.withObserver((observer) => disagreements(observer, endpoint, limit ?? 20)),
      ),
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
    .option("--limit <count>", "so many at most; 200 by default", aNumber)
    .action((version, { from, limit }) =>
      execute("replay", (invocation) =>
        invocation.withObserver((observer) => replayed(observer, version, from, limit ?? 200)),
      ),
    );
}

/** What Kubernetes' and BentoCloud's servers log has no inputs, and nobody reaches a single one of them past its router. */
const NO_ROWS =
  "this engine's servers keep no rows and are sent none; servers on the deployer's own machine do both";

async function disagreements(observer: Observer, name: string, limit: number): Promise<Report> {
  const { database } = observer;
  const endpoint = await database.endpoints.get(name);
  if (endpoint === null) throw await unknownEndpoint(name, database);
  const rows = await database.keptRows.list(name, { limit: MOST_ROWS });
  const pairs = rows
    .flatMap((row) => pairOf(row))
    .filter(({ apart: distance }) => distance > 0)
    .sort((a, b) => b.apart - a.apart)
    .slice(0, requireCount(limit));
  const compared = rows.filter(({ answers }) => answers.length > 1).length;
  const why_none = rows.length > 0 ? null : await whyNone(observer, endpoint.experiment_id);
  const data = { endpoint_name: name, kept: rows.length, why_none, compared, disagreements: pairs };
  return report(disagreementsSchema, data, (shown, paint) => [
    `${paint.bold(name)}: ${count(shown.kept, "row")} kept, ${shown.compared} of them answered by several deployments`,
    ...(shown.disagreements.length > 0
      ? shown.disagreements.flatMap(linesOf)
      : [shown.why_none === null ? "No two answers differ." : `None are kept: ${shown.why_none}.`]),
  ]);
}

async function whyNone({ database, engines, rowsKeptOn }: Observer, experiment: string): Promise<string> {
  const policy = await database.experiments.getGatePolicy(experiment);
  if (!rowsKeptOn.includes(engineFor("production", policy, engines))) return NO_ROWS;
  const { kept_rows } = policy;
  return kept_rows === null
    ? `the policy of ${experiment} asks for none; policy set ${experiment} --rows 0.01 does`
    : `no request was drawn since the policy asks for ${100 * kept_rows.sample} % of them, or no worker runs`;
}

type Pair = z.infer<typeof disagreementsSchema>["disagreements"][number];

/** The two answers of a row that are furthest apart. */
function pairOf({ request_id, path, input, answers }: KeptRow): Pair[] {
  const pairs = answers.flatMap((a, index) =>
    answers.slice(index + 1).map((b) => ({ a, b, apart: apart(a, b) })),
  );
  const [first, ...others] = pairs;
  if (first === undefined) return [];
  const most = others.reduce((far, one) => (one.apart > far.apart ? one : far), first);
  return [{ request_id, path, input, apart: most.apart, answers: [most.a, most.b] }];
}

function linesOf({ request_id, input, answers }: Pair): string[] {
  return [
    `  ${request_id}  ${cut(JSON.stringify(input))}`,
    ...answers.map(
      (one) =>
        `    ${one.deployment_id}  ${one.has_failed ? "failed" : cut(JSON.stringify(one.prediction))}${one.score === null ? "" : `  score ${one.score}`}`,
    ),
  ];
}

const cut = (text: string): string => (text.length <= SHOWN ? text : `${text.slice(0, SHOWN)}…`);

async function replayed(observer: Observer, version: string, from: string, limit: number): Promise<Report> {
  const { database, rowServers } = observer;
  if (rowServers === null) throw new InvalidRequestError(`No row can be replayed: ${NO_ROWS}.`);
  const deployment = await servedWithoutTraffic(observer, version);
  const rows = (await rowsFrom(observer, from)).slice(0, requireCount(limit));
  const sides = { candidate: deployment, baseline: await servingBeside(observer, from) };
  const signal = AbortSignal.timeout(REPLAY_MS);
  const answered = await replay(rowServers, rows, sides, { signal });
  const known = await database.keptRows.list(from, { limit: MOST_ROWS });
  const before = new Map(known.map((row) => [row.request_id, row]));
  const data = {
    model_version_id: version,
    deployment_id: deployment,
    from,
    sent: answered.length,
    failed: answered.filter(({ candidate }) => hasFailed(candidate)).length,
    rows: answered.map((one) => ({ ...one, input: before.get(one.request_id)?.input ?? null })),
  };
  return report(replaySchema, data, (shown, paint) => [
    `${paint.bold(deployment)} of ${version}: ${count(shown.sent, "row")} sent, ${shown.failed} answered with an error`,
    ...answered.filter(({ candidate }) => hasFailed(candidate)).map(lineOf),
  ]);
}

function lineOf({ request_id, candidate, baseline }: ReplayedRow): string {
  const beside = baseline === null ? "" : `; what serves now answers ${baseline.status}`;
  return `  ${request_id}  ${candidate.status} ${cut(candidate.body)}${beside}`;
}

function requireCount(given: number): number {
  if (Number.isInteger(given) && given >= 1 && given <= MOST_ROWS) return given;
  throw new InvalidRequestError(`--limit ${given}: name a whole number from 1 to ${MOST_ROWS}.`);
}

async function servedWithoutTraffic({ database, server }: Observer, version: string): Promise<string> {
  const deployments = await database.deployments.listForVersion(version);
  const signal = AbortSignal.timeout(REPLAY_MS);
  for (const { deployment_id, endpoint_name } of deployments) {
    const endpoint = await database.endpoints.get(endpoint_name);
    const isAtStaging = isStagingEndpoint(endpoint_name);
    if (!isAtStaging && (endpoint?.weights[deployment_id] ?? 0) > 0) continue;
    if ((await server.observe(deployment_id, { signal })).state === "ready") return deployment_id;
  }
  throw new NotFoundError(
    `No server of ${version} runs without traffic: deploy it to staging or shadow first (deploy ${version} staging).`,
  );
}

/** The deployment that serves at the endpoint whose rows they are; of a file none. */
async function servingBeside({ database }: Observer, from: string): Promise<string | null> {
  const weights = Object.entries((await database.endpoints.get(from))?.weights ?? {});
  return weights.sort(([, a], [, b]) => b - a)[0]?.[0] ?? null;
}

const fileRow = rowSchema.extend({ request_id: z.string().optional() });

async function rowsFrom({ database }: Observer, from: string) {
  if ((await database.endpoints.get(from)) !== null) {
    const kept = await database.keptRows.list(from, { limit: MOST_ROWS });
    if (kept.length > 0) return kept;
    throw new NotFoundError(
      `${from} has no kept rows: turn them on by policy set --rows 0.01, and let callers ask.`,
    );
  }
  const text = await readFile(from, "utf8").catch((cause: unknown) => {
    throw new InvalidRequestError(`--from ${from} is no endpoint, and no file that can be read.`, { cause });
  });
  return text.split("\n").flatMap((line, index) => {
    if (line.trim() === "") return [];
    const row = fileRow.safeParse(parsedJson(line));
    if (row.success) return [{ ...row.data, request_id: row.data.request_id ?? `line ${index + 1}` }];
    throw new InvalidRequestError(
      `${from}, line ${index + 1} is no row: write {"path": "/predict", "input": {...}}. ${z.prettifyError(row.error)}`,
    );
  });
}
