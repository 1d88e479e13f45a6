import { mkdtemp } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { inspect, parseArgs } from "node:util";
import { z } from "zod";
import { endedBySignals } from "../../src/cli/ended_by_signals.ts";
import { whenStarterEnds } from "../../src/platform/processes/starter.ts";
import { startTestServices } from "../support/services/test_services.ts";
import { tieRun } from "../support/services/tied_run.ts";
import type { FaultRow, RowOptions, RowResult } from "./harness/fault_row.ts";
import { endHarmWorlds } from "./harm/shared_world.ts";
import { faultRows } from "./rows/index.ts";
import { type Finished, holds, tableOf } from "./harness/table.ts";

/**
 * The whole fault suite, or the rows that are named. Ctrl-C, SIGTERM and SIGHUP end it with all that it has opened.
 *
 * usage: node tests/faults/main.ts [--row=NAME]... [--seed=N] [--extent=whole|selection] [--path=PATH]
 */
const { values } = parseArgs({
  options: {
    row: { type: "string", multiple: true, default: [] },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    extent: { type: "string", default: "whole" },
    path: { type: "string" },
  },
});
const seed = z.coerce.number().int().min(0).parse(values.seed);
const path = values.path === undefined ? {} : { path: values.path };
const extent = z.enum(["whole", "selection"]).parse(values.extent);

function chosenRows(names: readonly string[]): FaultRow[] {
  const unknown = names.filter((name) => !faultRows.some((row) => row.name === name));
  if (unknown.length > 0) {
    process.stderr.write(
      `no row ${unknown.join(", ")}; there are ${faultRows.map((row) => row.name).join(", ")}\n`,
    );
    process.exit(2);
  }
  return faultRows.filter((row) => names.length === 0 || names.includes(row.name));
}

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

const rows = chosenRows(values.row);
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
