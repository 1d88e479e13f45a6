import type { FaultRow, RowOptions, RowResult } from "../harness/fault_row.ts";
import { randomFrom, sampleOf } from "../harness/seeded.ts";
import { ChildPool } from "./children/children.ts";
import { CrashStage, type Expected, type Outcome } from "./crash_stage.ts";
import { goBackElsewhere, overtake, type Rivals } from "./rivals.ts";
import type { CrashScenario, Resumption } from "./scenario.ts";

/** Of each scenario in a selection, and pairs of the whole row. */
const POINTS_IN_SELECTION = 4;
/** Whoever meets a dead one's lease may wait for it. */
const WITH_OTHERS = { selection: 1, whole: 8 };
const WITH_OVERTAKING = { selection: 2, whole: 60 };
const PAIRS_IN_SELECTION = 1;
const PAIRS_IN_WHOLE = 8;
/** Played side by side. To bring one about takes longer than the few cases of a selection. */
const STAGES = { selection: 1, whole: 2 };
const PROGRESS_EVERY = 100;

/**
 * A row that kills a process at every point before and after each I/O of the scenarios, and carries on what it left.
 * `most` bounds the points of each scenario, where another row kills at all of them.
 */
export function crashRow(
  name: string,
  what: string,
  scenarios: readonly CrashScenario[],
  { router, most = Infinity }: { router?: "envoy"; most?: number } = {},
): FaultRow {
  return {
    name,
    fault: `SIGKILL before and after each I/O of ${what}; carried on by a worker and by the caller, it comes out the same`,
    run: async (options) => {
      const found = { found: 0, killed: 0 };
      const counted = (expected: Expected) => {
        const all = expected.points.length;
        found.found += all;
        found.killed += Math.min(all, options.extent === "whole" ? most : POINTS_IN_SELECTION);
        return casesOf(expected, options, most);
      };
      const result = await runScenarios(scenarios, {
        ...options,
        casesOf: counted,
        ...(router && { router }),
      });
      return { ...result, crash_points: found };
    },
  };
}

/** As `crashRow`, with other callers at the same endpoint before anybody carries on. */
export function crashRowWithOthers(name: string, scenarios: readonly CrashScenario[]): FaultRow {
  return {
    name,
    fault:
      "SIGKILL before and after each I/O; before anybody carries it on, others ask with the same key and another body, and for the like with a key of their own: they are told so, and it comes out right",
    run: (options) =>
      runScenarios(scenarios, {
        ...options,
        casesOf: (expected) =>
          casesAmongOthersOf(expected, options, (stage, at, by) => stage.crashWithOthers(at, by, expected)),
      }),
  };
}

/**
 * As `crashRow`, with another operator who goes back to another deployment and a worker that finds everything due, before
 * anybody carries on.
 */
export function crashRowWithRivals(name: string, scenarios: readonly CrashScenario[]): FaultRow {
  return {
    name,
    fault:
      "SIGKILL before and after each I/O of every way back; before anybody carries it on, another operator goes back to something else and a worker looks at what is due: whoever comes second is told so, and one deployment serves all traffic",
    run: runWithRivals(scenarios, goBackElsewhere),
  };
}

/** As `crashRowWithRivals`, with another operator who puts another version in the place of the one that is deployed. */
export function crashRowOfOvertaken(name: string, scenarios: readonly CrashScenario[]): FaultRow {
  return {
    name,
    fault:
      "SIGKILL before and after each I/O of a deployment; before anybody carries it on, another operator deploys another version at the same stage and a worker looks at what is due: each comes to its end, and one of them serves",
    run: runWithRivals(scenarios, overtake, WITH_OVERTAKING),
  };
}

function runWithRivals(
  scenarios: readonly CrashScenario[],
  rivals: Rivals,
  points = WITH_OTHERS,
): FaultRow["run"] {
  return (options) =>
    runScenarios(scenarios, {
      ...options,
      casesOf: (expected) =>
        casesAmongOthersOf(
          expected,
          options,
          (stage, at, by) => stage.crashWithRivals(at, by, rivals),
          points,
        ),
    });
}

interface Options extends RowOptions {
  router?: "envoy";
  casesOf: (expected: Expected, options: RowOptions) => Case[];
}

async function runScenarios(scenarios: readonly CrashScenario[], options: Options): Promise<RowResult> {
  const result: RowResult = { cases: 0, converged: 0, lost: 0, violations: [], notes: [] };
  const children = new ChildPool(STAGES[options.extent] + 2);
  try {
    for (const scenario of scenarios) await runScenario(scenario, children, options, result);
  } finally {
    await children.close();
  }
  return result;
}

type Case = (stage: CrashStage) => Promise<Outcome[]>;

async function runScenario(
  scenario: CrashScenario,
  children: ChildPool,
  options: Options,
  result: RowResult,
): Promise<void> {
  const open = () => CrashStage.open(scenario, { ...options, children });
  const first = await open();
  const stages = [first, ...(await Promise.all(Array.from({ length: STAGES[options.extent] - 1 }, open)))];
  try {
    const expected = await first.expected();
    const cases = options.casesOf(expected, options);
    let deaths = 0;
    await Promise.all(
      stages.map(async (stage) => {
        for (let next = cases.shift(); next !== undefined; next = cases.shift()) {
          const outcomes = await next(stage);
          // Each way carries on from the state that one death left.
          deaths += outcomes[0]?.died.length ?? 0;
          for (const outcome of outcomes) {
            note(result, scenario, outcome);
            if (result.cases % PROGRESS_EVERY === 0)
              options.onProgress(`${scenario.name}: ${result.cases} cases`);
          }
        }
      }),
    );
    result.notes.push(`${scenario.name}: ${expected.points.length} points, ${deaths} deaths`);
  } finally {
    await Promise.all(stages.map((stage) => stage.close()));
  }
}

function casesOf(expected: Expected, { extent, seed }: RowOptions, most: number): Case[] {
  const random = randomFrom(seed);
  const every = expected.points.map((_, index) => index + 1);
  const chosen = sampleOf(every, extent === "whole" ? most : POINTS_IN_SELECTION, random);
  const pairs = Array.from({ length: extent === "whole" ? PAIRS_IN_WHOLE : PAIRS_IN_SELECTION }, () => {
    const first = 1 + Math.floor(random() * every.length);
    const second = 1 + Math.floor(random() * (every.length - first + 20));
    const by: Resumption = random() < 0.5 ? "worker" : "request";
    return { first, second, by };
  });
  return [
    ...chosen.map(
      (at): Case =>
        (stage) =>
          stage.crash(at, expected),
    ),
    ...pairs.map(({ first, second, by }): Case => async (stage) => [
      await stage.crashTwice(first, second, by, expected),
    ]),
  ];
}

function casesAmongOthersOf(
  expected: Expected,
  { extent, seed }: RowOptions,
  among: (stage: CrashStage, at: number, by: Resumption) => Promise<Outcome>,
  points = WITH_OTHERS,
): Case[] {
  const every = expected.points.map((_, index) => index + 1);
  const chosen = sampleOf(every, points[extent], randomFrom(seed));
  const by = (at: number): Resumption => (at % 4 < 2 ? "request" : "worker");
  return chosen.map((at): Case => async (stage) => [await among(stage, at, by(at))]);
}

function note(result: RowResult, scenario: CrashScenario, { died, wrong }: Outcome): void {
  result.cases += 1;
  if (wrong.length === 0) result.converged += 1;
  else
    result.violations.push(
      `${scenario.name}, killed ${died.join(", then ") || "at no point"}: ${wrong.slice(0, 4).join("; ")}`,
    );
}
