import { constants, setPriority } from "node:os";
import { defaultJudgeSettings } from "../../src/agents/model_deployer/domain/traffic/rollout_plan.ts";
import { Crew } from "./crew.ts";
import { peers } from "./peers.ts";
import { writePictures } from "./pictures.ts";
import { guilty, innocent, TURNS_BAD_AT, watched } from "./scenarios.ts";
import { LISTS, type Task, type TaskRun } from "./tasks.ts";
import { oracleOnce } from "./oracle.ts";
import { percentile } from "../support/figures.ts";
import { option, printTable, say } from "../support/report.ts";

/**
 * How often a candidate that is no worse is failed all the same, and how soon one that is worse is found, by the judge at its
 * usual settings and by other ways to decide on the same traffic. Everything is drawn from one seed; latencies are lognormal.
 *
 * usage: node bench/judge/main.ts [--runs=1000] [--seconds=600] [--seed=1] [--threads=2]
 *          [--table=alarms|found|watched|queued|outcomes|predictions|metrics|together]
 *        node bench/judge/main.ts --pictures   writes those of docs/judge.md, by the same seed
 */
const RUNS = option("runs", 1000);
const SECONDS = option("seconds", 600);
const SEED = option("seed", 1);
/** Outcomes of both sides, of which the candidate has a fifth. */
const OUTCOMES = 4000;
/** Cheap, and as many as tell a second of its median. */
const ORACLE_RUNS = 20_000;
/** A minute each. */
const WINDOWS = 240;
const seeds = Array.from({ length: RUNS }, (_, run) => SEED * 1_000_003 + run * 7919);
const AIM = "aim: at most 1 %";

if (process.argv.includes("--pictures")) {
  const folder = new URL("../../docs/pictures/", import.meta.url);
  say(`docs/pictures: ${(await writePictures(folder, SEED)).join(", ")}`);
  process.exit();
}

setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
const crew = new Crew(option("threads", 2));
type Found = TaskRun["judge"];

const share = (found: readonly Found[]) =>
  `${((100 * found.filter((one) => one !== null).length) / found.length).toFixed(1)} %`;
const ofJudge = (runs: readonly TaskRun[]) => runs.map(({ judge }) => judge);
const ofPeers = (runs: readonly TaskRun[]) =>
  (runs[0]?.peers ?? []).map((_, index) => runs.map((run) => run.peers[index] ?? null));

/** The median and the 95th percentile. */
function times(found: readonly Found[], unit = " s"): [string, string] {
  const at = (percent: number) => {
    const value = percentile(
      found.map((one) => one ?? Infinity),
      percent,
    );
    return Number.isFinite(value) ? `${value}${unit}` : "never";
  };
  return [at(50), at(95)];
}

const rowsOf = (list: Task["list"], length: number, more: Partial<Task> = {}) =>
  Promise.all(
    LISTS[list].map(async ({ name }, index) => ({
      name,
      index,
      runs: await crew.run({ list, index, seeds, length, ...more }),
    })),
  );

const names = peers.map(({ name }) => name);

async function printAlarms(): Promise<void> {
  const rows = await rowsOf("innocent", SECONDS);
  printTable(
    [`nobody is worse: failed all the same (${AIM})`, "judge", ...names],
    rows.map(({ name, runs }) => [name, share(ofJudge(runs)), ...ofPeers(runs).map(share)]),
  );
}

async function printFound(): Promise<void> {
  const rows = await rowsOf("guilty", SECONDS);
  printTable(
    ["the candidate is worse: found in", "median", "p95", "aim", ...names],
    rows.map(({ name, index, runs }) => {
      const aim = guilty[index]?.aim ?? null;
      const others = ofPeers(runs).map((one) => times(one)[0]);
      return [name, ...times(ofJudge(runs)), aim === null ? "" : `${aim} s`, ...others];
    }),
  );
  const hardest = guilty.find(({ aim }) => aim === 60);
  if (hardest === undefined) return;
  const found = Array.from({ length: ORACLE_RUNS }, (_, run) =>
    oracleOnce(hardest, SEED + run, SECONDS, defaultJudgeSettings.alpha),
  );
  const [median, p95] = times(found);
  say();
  say(
    `${hardest.name}, by whoever knows both rates and stakes all of alpha on them, in ${ORACLE_RUNS} runs: ${median}, p95 ${p95}`,
  );
}

async function printWatched(): Promise<void> {
  const alone = { alone: true, withoutPeers: true };
  const [quiet, bad] = await Promise.all([
    rowsOf("innocent", SECONDS, alone),
    rowsOf("watched", SECONDS, alone),
  ]);
  const ofAlone = quiet.filter(({ index }) => (innocent[index]?.requests ?? 0) === 100);
  const rows = [...ofAlone, ...bad].map(({ name, index, runs }) => {
    const isGuilty = name === watched[index]?.name;
    const after = runs.map(({ judge }) => (judge === null ? null : judge - TURNS_BAD_AT));
    const challenges = runs.map((run) => run.challenges ?? 0);
    const lasting = runs.map((run) => run.challenged ?? 0);
    return [
      name,
      share(after),
      ...(isGuilty ? times(after) : ["", ""]),
      String(percentile(challenges, 50)),
      `${percentile(lasting, 50)} s`,
    ];
  });
  const rolledBack = `rolled back (innocent, ${AIM})`;
  printTable(["all traffic to the candidate", rolledBack, "median", "p95", "challenges", "lasting"], rows);
}

async function printQueued(): Promise<void> {
  const rows = await rowsOf("queued", SECONDS);
  printTable(
    [`the same server twice, whose requests queue: failed all the same (${AIM})`, "judge", "challenges"],
    rows.map(({ name, runs }) => [
      name,
      share(ofJudge(runs)),
      String(
        percentile(
          runs.map((run) => run.challenges ?? 0),
          50,
        ),
      ),
    ]),
  );
}

async function printOutcomes(): Promise<void> {
  const [alike, worse] = await Promise.all([rowsOf("alike", OUTCOMES), rowsOf("worse", OUTCOMES)]);
  const measured = (list: "alike" | "worse", index: number) => `${LISTS[list][index]?.measure}: `;
  printTable(
    [`${OUTCOMES} outcomes, nobody is worse: failed all the same (${AIM})`, "judge", "z-test"],
    alike.map(({ name, index, runs }) => [
      measured("alike", index) + name,
      share(ofJudge(runs)),
      ...ofPeers(runs).map(share),
    ]),
  );
  say();
  const wrong = (runs: readonly TaskRun[]) =>
    share(runs.map((run) => (run.isBoundWrong === true ? 1 : null)));
  printTable(
    ["the candidate is worse", "failed", "median outcomes", "z-test", `bound too low at some look (${AIM})`],
    worse.map(({ name, index, runs }) => [
      measured("worse", index) + name,
      share(ofJudge(runs)),
      times(ofJudge(runs), "")[0],
      ...ofPeers(runs).map((one) => times(one, "")[0]),
      LISTS.worse[index]?.real === undefined ? "" : wrong(runs),
    ]),
  );
}

async function printPair(
  lists: readonly [Task["list"], Task["list"]],
  length: number,
  said: { what: string; peer: string; unit: string },
): Promise<void> {
  const [alike, worse] = await Promise.all([rowsOf(lists[0], length), rowsOf(lists[1], length)]);
  printTable(
    [`${said.what}, nobody is worse: failed all the same (${AIM})`, "judge", said.peer],
    alike.map(({ name, runs }) => [name, share(ofJudge(runs)), ...ofPeers(runs).map(share)]),
  );
  say();
  printTable(
    ["the candidate is worse", "failed", "median", "p95", said.peer],
    worse.map(({ name, runs }) => [
      name,
      share(ofJudge(runs)),
      ...times(ofJudge(runs), said.unit),
      ...ofPeers(runs).map((one) => times(one, said.unit)[0]),
    ]),
  );
}

async function printTogether(): Promise<void> {
  const rows = await rowsOf("allSignals", SECONDS);
  printTable(
    [`nobody is worse by any signal: failed all the same (${AIM})`, "judge"],
    rows.map(({ name, runs }) => [name, share(ofJudge(runs))]),
  );
}

const TABLES: Record<string, () => Promise<void>> = {
  alarms: printAlarms,
  found: printFound,
  watched: printWatched,
  queued: printQueued,
  outcomes: printOutcomes,
  predictions: () =>
    printPair(["alikeScores", "shiftedScores"], SECONDS, {
      what: "20 predictions a second, 2 of them by the candidate",
      peer: "PSI over .2",
      unit: " s",
    }),
  metrics: () =>
    printPair(["alikeWindows", "worseWindows"], WINDOWS, {
      what: `metrics of the team in ${WINDOWS} windows`,
      peer: "3 misses in a row",
      unit: "",
    }),
  together: printTogether,
};

say(
  `${RUNS} runs of ${SECONDS} s, 100 requests/s and 10 % to the candidate unless it says otherwise, a look each second, ` +
    `alpha ${defaultJudgeSettings.alpha}`,
);
say();
const asked = process.argv.find((one) => one.startsWith("--table="))?.slice("--table=".length);
for (const [name, print] of Object.entries(TABLES)) {
  if (asked !== undefined && asked !== name) continue;
  await print();
  say();
}
await crew.end();
