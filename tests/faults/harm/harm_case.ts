import { pollUntil } from "../../../src/testing/poll.ts";
import type { RowResult } from "../harness/fault_row.ts";
import { type Counted, CountedLoad } from "./counted_load.ts";
import type { HarmWorld } from "./harm_world.ts";
import { ServedWatch } from "./served_watch.ts";
import { type Touched, touchedBetween, untouchedIn } from "./untouched.ts";

export interface HarmCase {
  /** In a few words, for a sentence about what did not hold. */
  name: string;
  /** With a candidate at 30 % beside production. */
  rollout?: boolean;
  /** Callers at once; 4 unless given. */
  lanes?: number;
  /** What is done to the world, and undone again; returns sentences about what else did not hold. */
  fault: (world: HarmWorld, load: CountedLoad) => Promise<string[] | void>;
  /** Somebody asks for an operation meanwhile: weights, generations and history change. */
  isOperated?: boolean;
  /** A server may be replaced, by one that has answered before. */
  mayReplace?: boolean;
}

const PAUSE_MS = 20;
/** Answers before the fault and after it. */
const BEFORE = 20;

/** What one case came to: figures, sentences about what does not hold, and what the judge did of its own. */
export interface HarmOutcome {
  name: string;
  counted: Counted;
  wrong: string[];
  judged: string | null;
}

export async function runHarmCase(world: HarmWorld, one: HarmCase): Promise<HarmOutcome> {
  if (one.rollout === true) await world.beginRollout();
  else await world.endRollout();
  await world.untilItAnswers();
  const before = await untouchedIn(world.home, world.sql);
  const watch = await ServedWatch.begin(world);
  const load = new CountedLoad({ url: world.url, lanes: one.lanes ?? 4, pauseMs: PAUSE_MS });
  load.start();
  const wrong: string[] = [];
  try {
    await answered(load, BEFORE);
    wrong.push(...((await one.fault(world, load)) ?? []));
    await answered(load, BEFORE);
  } finally {
    await world.upstream.comeBack();
  }
  const counted = await load.end();
  wrong.push(...(await watch.end()), ...counted.wrong);
  const ended = one.rollout === true && one.isOperated !== true ? await world.howTheRolloutEnded() : null;
  // Liveness never ends a rollout here, for nothing is dead; what the judge makes of the failures is its own affair.
  if (ended !== null && /does not answer/.test(ended))
    wrong.push(`no rollout ends for liveness, but: ${ended}`);
  const touched = touchedBetween(before, await untouchedIn(world.home, world.sql));
  wrong.push(...wrongOf(touched, one, ended === null && one.isOperated !== true ? null : world.production));
  if (world.worker?.isRunning !== true) wrong.push("a worker goes on, but it has ended");
  await world.untilItAnswers();
  return { name: one.name, counted, wrong, judged: ended };
}

/** @param only the baseline, where somebody or the judge has ended a rollout: that is about the candidate */
function wrongOf(touched: Touched[], { mayReplace = false }: HarmCase, only: string | null): string[] {
  const told = touched.filter(({ server }) => only === null || server?.startsWith(`${only} `));
  return told.filter(({ server }) => !mayReplace || server === undefined).map(({ sentence }) => sentence);
}

async function answered(load: CountedLoad, count: number): Promise<void> {
  const wanted = load.answered + count;
  await pollUntil(() => load.answered >= wanted, {
    deadlineMs: 300_000,
    intervalMs: 50,
    what: `${count} more answers`,
  });
}

/** The row's line: all figures of its cases, and a sentence for each that did not hold. */
export function harmResult(outcomes: readonly HarmOutcome[]): RowResult {
  const sum = (of: "sent" | "answered" | "failed_by_model" | "lost") =>
    outcomes.reduce((total, { counted }) => total + counted[of], 0);
  const slowest = Math.max(0, ...outcomes.map(({ counted }) => counted.p99_ms));
  return {
    cases: outcomes.length,
    converged: outcomes.filter(({ wrong }) => wrong.length === 0).length,
    lost: sum("lost"),
    violations: outcomes.flatMap(({ name, wrong }) => wrong.map((sentence) => `${name}: ${sentence}`)),
    notes: [
      `${sum("sent")} sent, ${sum("answered")} answered, ${sum("failed_by_model")} failed by the model, ${sum("lost")} lost by us, p99 ${Math.round(slowest)} ms`,
      ...outcomes.flatMap(({ name, judged }) =>
        judged === null ? [] : [`${name}: rolled back by the judge: ${judged}`],
      ),
    ],
  };
}
