import { mkdtemp } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { inspect, parseArgs } from "node:util";
import { z } from "zod";
import { startTestServices } from "../support/test_services.ts";
import type { FaultRow, RowOptions, RowResult } from "./fault_row.ts";
import { closeSharedHarmWorld } from "./harm/shared_world.ts";
import { faultRows } from "./rows/index.ts";
import { type Finished, holds, tableOf } from "./table.ts";

/**
 * The whole fault suite, or the rows that are named.
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
    onProgress(`${row.name}: ${row.fault}`);
    const began = performance.now();
    const result = await outcomeOf(row, {
      extent,
      seed,
      ...path,
      services,
      onProgress: (line) => onProgress(`  ${line}`),
    });
    const command = `npm run test:faults -- --row=${row.name} --seed=${seed} --extent=${extent}`;
    finished.push({ row, result, seconds: (performance.now() - began) / 1000, command });
    for (const line of [...result.notes, ...result.violations]) onProgress(`  ${line}`);
  }
} finally {
  await closeSharedHarmWorld();
  await stop();
}
process.stdout.write(`${tableOf(finished, seed)}\n`);
// A library that a row loads ends the process with 0, whatever the exit code says, once nothing is left to do.
process.exit(finished.every(holds) ? 0 : 1);
