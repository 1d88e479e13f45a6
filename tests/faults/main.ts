import { mkdtemp } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { Command, Option } from "@commander-js/extra-typings";
import { endedBySignals } from "../../src/cli/ended_by_signals.ts";
import { whenStarterEnds } from "../../src/platform/processes/starter.ts";
import { wholeNumberBetween } from "../../src/cli/number_options.ts";
import { oneOf, parseWords } from "../support/programs/parsed_words.ts";
import { startTestServices } from "../support/services/test_services.ts";
import { tieRun } from "../support/services/tied_run.ts";
import type { FaultRow, RowOptions, RowResult } from "./harness/fault_row.ts";
import { endHarmWorlds } from "./harm/shared_world.ts";
import { faultRows } from "./rows/index.ts";
import { type Finished, holds, tableOf } from "./harness/table.ts";

/** The whole fault suite, or the rows that are named. Ctrl-C, SIGTERM and SIGHUP end it with all that it has opened. */
const program = new Command("npm run test:faults --")
  .description("Runs every row of the fault suite, or those that are named, and prints a line for each.")
  .option("--row <name>", "this row; may be given again for more", oneOf(faultRows.map(({ name }) => name)))
  .option(
    "--seed <number>",
    "draws the same cases again; another one each time unless told",
    wholeNumberBetween(0, Number.MAX_SAFE_INTEGER),
  )
  .addOption(
    new Option("--extent <extent>", "all cases, or those of the test suite")
      .choices(["whole", "selection"] as const)
      .default("whole" as const),
  )
  .option("--path <path>", "the one case that a violated row has printed, with its seed")
  .addHelpText(
    "after",
    () => `\nRows:\n${faultRows.map(({ name, fault }) => `  ${name}\n      ${fault}`).join("\n")}`,
  );
parseWords(program);
const { row: names = [], seed = Date.now() % 1_000_000, extent, path: asked } = program.opts();
const path = asked === undefined ? {} : { path: asked };

const ended = endedBySignals(process, whenStarterEnds);
const untilEnded = new Promise<null>((resolve) => {
  ended.addEventListener("abort", () => resolve(null));
});

const strays: unknown[] = [];
process.on("unhandledRejection", (reason) => strays.push(reason));

/** A row that raises is red, and the others run all the same. */
async function outcomeOf(row: FaultRow, options: RowOptions): Promise<RowResult> {
  const raised = (error: unknown): RowResult => {
    const violations = [`the row itself raised ${inspect(error)}`];
    return { cases: 0, converged: 0, lost: 0, violations, notes: [] };
  };
  const result = await row.run(options).catch(raised);
  const stray = strays
    .splice(0)
    .map((reason) => `nobody waited for a promise that raised ${inspect(reason)}`);
  return { ...result, violations: [...result.violations, ...stray] };
}

const rows = faultRows.filter(({ name }) => names.length === 0 || names.includes(name));
const cacheDirectory = process.env["MODEL_DEPLOYER_CACHE"] ?? join(homedir(), ".cache", "model-deployer");
const untie = tieRun();
const kept = process.env["MODEL_DEPLOYER_TEST_HOME"];
const home = kept ?? (await mkdtemp(join(tmpdir(), "model-deployer-faults-")));
const onProgress = (line: string) => process.stderr.write(`${line}\n`);
const { services, stop } = await startTestServices({
  home,
  keep: kept !== undefined,
  cacheDirectory,
  onProgress,
});
const finished: Finished[] = [];
try {
  for (const row of rows) {
    if (ended.aborted) break;
    onProgress(`${row.name}: ${row.fault}`);
    const began = performance.now();
    const options = {
      extent,
      seed,
      ...path,
      services,
      onProgress: (line: string) => onProgress(`  ${line}`),
    };
    const result = await Promise.race([outcomeOf(row, options), untilEnded]);
    if (result === null) break;
    const command = `npm run test:faults -- --row=${row.name} --seed=${seed} --extent=${extent}`;
    finished.push({ row, result, seconds: (performance.now() - began) / 1000, command });
    for (const line of [...result.notes, ...result.violations]) onProgress(`  ${line}`);
  }
} finally {
  if (ended.aborted) onProgress("ended from outside: what is open is closed");
  await endHarmWorlds();
  await stop();
  await untie();
}
process.stdout.write(`${tableOf(finished, seed)}\n`);
// A library that a row loads ends the process with 0, whatever the exit code says, once nothing is left to do.
process.exit(finished.every(holds) && !ended.aborted ? 0 : 1);
