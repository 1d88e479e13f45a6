import { open } from "node:fs/promises";
import type { CommandUnknownOpts } from "@commander-js/extra-typings";
import {
  type RecordedOutcomes,
  recordedOutcomesSchema,
  type ToldOutcome,
  toldOutcomeSchema,
} from "../../../agents/model_deployer/domain/evidence/late_outcomes.ts";
import { ALL } from "../../../agents/model_deployer/domain/access/roles.ts";
import { InvalidRequestError } from "../../../agents/model_deployer/errors.ts";
import { recordOutcomes } from "../../../agents/model_deployer/collection/record_outcomes.ts";
import type { DeployerDatabase } from "../../../database/index.ts";
import type { Execute } from "../../invocation/execute.ts";
import { authorizedActor } from "../../invocation/requester.ts";
import type { Invocation } from "../../invocation/invocation.ts";
import { report, type Report } from "../../invocation/command_report.ts";
import { outcomesReport } from "../../../service/judging/outcomes_report.ts";
import { type FileFormat, formatOf, readEntries } from "./outcome_files.ts";
import { outcomesImportSchema, outcomesReportSchema } from "../../../service/judging/outcome_schemas.ts";

interface Options {
  endpoint?: string | undefined;
  format?: string | undefined;
}

const BATCH = 1000;
/** In characters, well below what a body of the API may have: an outcome may be a long list. */
const LONGEST_BATCH = 1_000_000;

export function addOutcomes(program: CommandUnknownOpts, execute: Execute): void {
  const outcomes = program
    .command("outcomes")
    .description("what turned out to be true of answered requests, and what it says of both sides");
  outcomes
    .command("import <file>")
    .description("tell outcomes by request id, from JSON lines or CSV; the same file again changes nothing")
    .option("--endpoint <name>", "counts outcomes of another endpoint's requests, and keeps none of them")
    .option("--format <name>", "jsonl or csv; by the file's ending otherwise")
    .action((file, options) =>
      execute("outcomes import", (invocation) => importFile(invocation, file, options)),
    );
  outcomes
    .command("show <endpoint>")
    .description("answers that are kept, and how right both sides were")
    .action((endpoint) => execute("outcomes show", (invocation) => show(invocation, endpoint)));
}

const none: RecordedOutcomes = {
  recorded: 0,
  waiting: 0,
  repeated: 0,
  contradicting: 0,
  of_another_endpoint: 0,
  of_several_endpoints: 0,
};

async function importFile(invocation: Invocation, file: string, options: Options): Promise<Report> {
  const format = formatOf(file, options.format);
  await requireReadable(file);
  const remote = await invocation.remote();
  if (remote !== null) {
    const { endpoint: endpoint_name } = options;
    return tellAll(file, format, (outcomes) =>
      remote.ask(recordedOutcomesSchema, "/v1/outcomes", { body: { endpoint_name, outcomes } }),
    );
  }
  return invocation.withObserver(async ({ database }) => {
    const told = await teller(invocation, database, options.endpoint);
    return tellAll(file, format, (batch) => recordOutcomes(database, batch, told));
  });
}

async function tellAll(
  file: string,
  format: FileFormat,
  tell: (batch: ToldOutcome[]) => Promise<RecordedOutcomes>,
): Promise<Report> {
  let total = none;
  let batch: ToldOutcome[] = [];
  let size = 0;
  const send = async () => {
    total = plus(total, await tell(batch));
    [batch, size] = [[], 0];
  };
  // An empty batch goes first, so that an endpoint that does not exist ends the command before the file is read.
  await send();
  for await (const { line, entry } of readEntries(file, format)) {
    const outcome = checked(entry, { file, line, total });
    batch.push(outcome);
    size += JSON.stringify(outcome).length;
    if (batch.length === BATCH || size > LONGEST_BATCH) await send();
  }
  if (batch.length > 0) await send();
  return report(outcomesImportSchema, { file, ...total }, importLines);
}

/** Outcomes that name no endpoint may be of any experiment. */
async function teller(invocation: Invocation, database: DeployerDatabase, endpoint: string | undefined) {
  const found = endpoint === undefined ? null : await database.endpoints.get(endpoint);
  const extent = endpoint === undefined ? ALL : (found?.experiment_id ?? null);
  const needs = { right: "act", extent, subject: "outcomes" } as const;
  const { who: by, origin } = await authorizedActor(invocation, database, needs);
  return endpoint === undefined ? { by, origin } : { by, origin, endpoint_name: endpoint };
}

async function requireReadable(file: string): Promise<void> {
  try {
    const opened = await open(file, "r");
    const isFolder = (await opened.stat().finally(() => opened.close())).isDirectory();
    if (isFolder) throw new InvalidRequestError(`${file} is a folder: name a file of outcomes.`);
  } catch (cause) {
    if (cause instanceof InvalidRequestError) throw cause;
    throw new InvalidRequestError(`${file} cannot be read: ${String(cause)}.`, { cause });
  }
}

function checked(
  entry: unknown,
  { file, line, total }: { file: string; line: number; total: RecordedOutcomes },
): ToldOutcome {
  const parsed = toldOutcomeSchema.safeParse(entry);
  if (parsed.success) return parsed.data;
  const why = parsed.error.issues
    .map(({ path, message }) => [path.join("."), message].filter(Boolean).join(": "))
    .join("; ");
  const kept = Object.values(total).reduce((sum, one) => sum + one, 0);
  throw new InvalidRequestError(
    `${file}, line ${line} is no outcome: ${why} (given ${JSON.stringify(entry).slice(0, 200)}). The ${kept} before it were told; mend the line and import the file again, which tells none of them twice.`,
    { details: { line, told: kept } },
  );
}

const plus = (a: RecordedOutcomes, b: RecordedOutcomes): RecordedOutcomes => ({
  recorded: a.recorded + b.recorded,
  waiting: a.waiting + b.waiting,
  repeated: a.repeated + b.repeated,
  contradicting: a.contradicting + b.contradicting,
  of_another_endpoint: a.of_another_endpoint + b.of_another_endpoint,
  of_several_endpoints: a.of_several_endpoints + b.of_several_endpoints,
});

function importLines(counts: RecordedOutcomes): string[] {
  const said: [number, string][] = [
    [counts.recorded, "new, of requests whose answers are kept"],
    [counts.waiting, "new, of requests that are not known (yet); kept for 30 days"],
    [counts.repeated, "told before, unchanged"],
    [counts.contradicting, "told before with another value; the first one stays"],
    [counts.of_another_endpoint, "of another endpoint's requests, not kept"],
    [
      counts.of_several_endpoints,
      "of request ids that several endpoints have answered, not kept: name one by --endpoint",
    ],
  ];
  const lines = said.filter(([number]) => number > 0).map(([number, what]) => `${number} ${what}`);
  return lines.length === 0 ? ["no outcomes in the file"] : lines;
}

async function show(invocation: Invocation, endpointName: string): Promise<Report> {
  const remote = await invocation.remote();
  const data =
    remote === null
      ? await invocation.withObserver(({ database }) => outcomesReport(database, endpointName))
      : await remote.ask(outcomesReportSchema, `/v1/endpoints/${encodeURIComponent(endpointName)}/outcomes`);
  return report(outcomesReportSchema, data, ({ kept_answers, repeated_ids, compared }) => [
    `${endpointName}: ${kept_answers} answers kept${repeated_ids > 0 ? `, ${repeated_ids} more had the request id of an earlier one and count for nobody` : ""}`,
    ...(compared.length === 0
      ? ["nothing is compared: turn it on by policy set --outcomes, or deploy --outcomes"]
      : compared.map(({ subject, said }) => `${subject}: ${said}`)),
  ]);
}
