import { ChildPool } from "../../crash/children/children.ts";
import type { Outcome } from "../../crash/crash_stage.ts";
import { type RealScenario, realLife } from "../../crash/real/real_scenarios.ts";
import { RealStage } from "../../crash/real/real_stage.ts";
import { type RealMoment, RealWorld } from "../../crash/real/real_world.ts";
import type { FaultRow, RowOptions, RowResult } from "../../harness/fault_row.ts";
import { randomFrom, sampleOf } from "../../harness/seeded.ts";

/** A case costs some seconds with its real servers: so many points of each scenario, evenly spaced, make the whole. */
const POINTS_IN_WHOLE = 8;
const POINTS_IN_SELECTION = 1;
/** A life takes half a minute up to its first rollback, so a selection ends before. */
const SCENARIOS_IN_SELECTION = 2;

/** A process over real MLflow, BentoML and Envoy is killed, and what it left is carried on. */
export const crashRealParts: FaultRow = {
  name: "crash-real-parts",
  fault:
    "SIGKILL before and after I/O of a process over the real MLflow, BentoML and Envoy: carried on, it comes out the same, the endpoint answers and no process is left over",
  run: runRow,
};

async function runRow(options: RowOptions): Promise<RowResult> {
  const result: RowResult = { cases: 0, converged: 0, lost: 0, violations: [], notes: [] };
  const scenarios = options.extent === "whole" ? realLife : realLife.slice(0, SCENARIOS_IN_SELECTION);
  const children = new ChildPool(1);
  const world = await RealWorld.open(options.services);
  try {
    let moments: Record<RealScenario["from"], RealMoment> | null = null;
    for (const scenario of scenarios) {
      if (moments !== null) await world.restore(moments[scenario.from]);
      const stage: RealStage = await RealStage.open({ world, scenario, children });
      moments = await runScenario(stage, scenario, { world, options, result });
    }
  } finally {
    await children.close();
    await world.close();
  }
  return result;
}

interface Around {
  world: RealWorld;
  options: RowOptions;
  result: RowResult;
}

async function runScenario(
  stage: RealStage,
  scenario: RealScenario,
  { world, options, result }: Around,
): Promise<Record<RealScenario["from"], RealMoment>> {
  const expected = await stage.expected();
  const end = await world.keep();
  const total = expected.points.length;
  const chosen = chosenOf(total, options);
  let deaths = 0;
  for (const [index, at] of chosen.entries()) {
    const outcome = await stage.crash(at, index % 2 === 0 ? "request" : "worker", expected);
    deaths += outcome.died.length;
    note(result, scenario, outcome);
  }
  result.notes.push(`${scenario.name}: ${chosen.length} of ${total} points, ${deaths} deaths`);
  options.onProgress(result.notes.at(-1) ?? "");
  return { "the end": end, "the beginning": stage.beginning };
}

/** Numbers of points, from 1. */
function chosenOf(total: number, { extent, seed }: RowOptions): number[] {
  const every = Array.from({ length: total }, (_, index) => index + 1);
  const random = randomFrom(seed);
  if (extent === "selection") return sampleOf(every, POINTS_IN_SELECTION, random);
  if (total <= POINTS_IN_WHOLE) return every;
  // Another seed meets the points in between.
  const stride = total / POINTS_IN_WHOLE;
  const offset = random() * stride;
  return Array.from({ length: POINTS_IN_WHOLE }, (_, index) => 1 + Math.floor(offset + index * stride));
}

function note(result: RowResult, scenario: RealScenario, { died, wrong }: Outcome): void {
  result.cases += 1;
  if (wrong.length === 0) result.converged += 1;
  else {
    const where = died[0] ?? "at no point";
    result.violations.push(`${scenario.name}, killed ${where}: ${wrong.slice(0, 4).join("; ")}`);
  }
}
