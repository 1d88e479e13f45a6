import { type EngineAction, engineActions, type EngineCase, runEngineCase } from "../engines/engine_case.ts";
import { type EngineFault, type EngineName, engines } from "../engines/engine_world.ts";
import type { FaultRow, RowOptions, RowResult } from "../harness/fault_row.ts";
import { randomFrom } from "../harness/seeded.ts";
import { sideBySide } from "../harness/side_by_side.ts";

const LANES = 2;
/** More than any of the actions makes; one that is not reached ends the walk through its calls. */
const MOST_CALLS = 200;

const conflict = JSON.stringify({
  kind: "Status",
  reason: "Conflict",
  message: "the object has been modified",
});
const neighbourly: { name: string; fault: EngineFault; how: EngineCase["how"] }[] = [
  { name: "409", fault: { status: 409, body: conflict }, how: "once" },
  { name: "410", fault: { status: 410 }, how: "once" },
  { name: "429", fault: { status: 429 }, how: "once" },
  { name: "500", fault: { status: 500 }, how: "once" },
  { name: "an expired token", fault: { status: 401 }, how: "once" },
  { name: "a lost call", fault: { lost: "call" }, how: "once" },
  { name: "a lost answer", fault: { lost: "answer" }, how: "once" },
  { name: "429 from there on", fault: { status: 429 }, how: "lasting" },
  { name: "500 from there on", fault: { status: 500 }, how: "lasting" },
  { name: "a page from there on", fault: { status: 200, body: "<html>" }, how: "lasting" },
  { name: "a token that stays expired", fault: { status: 401 }, how: "lasting" },
  { name: "no way to it from there on", fault: { lost: "call" }, how: "lasting" },
];
const deadly: { name: string; fault: EngineFault; how: EngineCase["how"] }[] = [
  { name: "killed before", fault: { lost: "call" }, how: "gone" },
  { name: "killed after", fault: { lost: "answer" }, how: "gone" },
];

export const engineRows: readonly FaultRow[] = engines.flatMap((engine) => [
  {
    name: `${engine}-crash`,
    fault: `a process is killed before or after each call to ${engine}'s API: another one brings it to its end, and nothing is left over`,
    run: (options: RowOptions) => runRow(engine, deadly, options),
  },
  {
    name: `${engine}-faults`,
    fault: `${engine}'s API refuses, forgets, is overloaded or away at each call, once or from there on: all comes right`,
    run: (options: RowOptions) => runRow(engine, neighbourly, options),
  },
]);

async function runRow(engine: EngineName, faults: typeof deadly, options: RowOptions): Promise<RowResult> {
  const random = randomFrom(options.seed);
  const walks = engineActions.flatMap((action) => faults.map((one) => ({ action, ...one })));
  const chosen =
    options.extent === "whole" ? walks : walks.filter(() => random() < 4 / walks.length).slice(0, 4);
  const results = await sideBySide(LANES, chosen, (walk) => walkThrough(engine, walk, options, random));
  const all = results.flat();
  return {
    cases: all.length,
    converged: all.filter(({ complaints }) => complaints.length === 0).length,
    lost: 0,
    violations: all.flatMap(({ label, complaints }) => complaints.map((one) => `${label}: ${one}`)),
    ...(faults === deadly && { crash_points: { found: all.length, killed: all.length } }),
    notes: [`${engine}: ${all.length} calls met, of ${engineActions.join(" and ")}`],
  };
}

interface Walk {
  action: EngineAction;
  name: string;
  fault: EngineFault;
  how: EngineCase["how"];
}

/** Each call in turn until the action makes no more; of a selection two that are drawn. */
async function walkThrough(
  engine: EngineName,
  { action, name, fault, how }: Walk,
  { extent, services, onProgress }: RowOptions,
  random: () => number,
): Promise<{ label: string; complaints: string[] }[]> {
  const found: { label: string; complaints: string[] }[] = [];
  for (
    let at = extent === "whole" ? 0 : Math.floor(random() * 6);
    at < MOST_CALLS;
    at += extent === "whole" ? 1 : 7
  ) {
    const label = `${engine}, ${action}, ${name} at call ${at}`;
    const { met, told, complaints } = await runEngineCase({ engine, action, at, fault, how }, services);
    if (!met) break;
    onProgress(`${label}: told ${told.slice(0, 120)}`);
    found.push({ label, complaints: complaints.map((one) => `${one} (told: ${told})`) });
    if (extent === "selection" && found.length === 2) break;
  }
  return found;
}
