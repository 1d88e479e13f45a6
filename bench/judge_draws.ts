import { drawSettings } from "./judge/draws/settings.ts";
import { type Found, judgeOnce, peersOnce } from "./judge/judged.ts";
import { peers } from "./judge/peers.ts";
import { guilty, innocent, TURNS_BAD_AT, watched } from "./judge/scenarios.ts";
import type { Scenario } from "./judge/traffic.ts";
import { percentile } from "./support/figures.ts";
import { option, printTable, say } from "./support/report.ts";

/**
 * How often a candidate that is no worse is failed all the same, and how soon one that is worse is found, by comparing both
 * sides as the random draw that the router makes of the answers (`judge/draws`), beside other ways to decide on the same
 * traffic. It is a study for the judge that deployments have, which `judge.ts` measures. Everything is drawn from one seed;
 * latencies are lognormal.
 *
 * usage: node bench/judge_draws.ts [--runs=1000] [--seconds=600] [--seed=1]
 */
const RUNS = option("runs", 1000);
const SECONDS = option("seconds", 600);
const SEED = option("seed", 1);
const seeds = Array.from({ length: RUNS }, (_, run) => SEED * 1_000_003 + run * 7919);

const share = (found: readonly Found[]) =>
  `${((100 * found.filter((one) => one !== null).length) / found.length).toFixed(1)} %`;

function times(found: readonly Found[]): string[] {
  const counted = found.map((one) => one ?? Infinity);
  return [50, 95].map((percent) => {
    const seconds = percentile(counted, percent);
    return Number.isFinite(seconds) ? `${seconds} s` : "never";
  });
}

function ofPeers(scenario: Scenario): Found[][] {
  const runs = seeds.map((seed) => peersOnce(scenario, seed, SECONDS));
  return peers.map((peer) => runs.map((run) => run.get(peer) ?? null));
}

const ofJudge = (scenario: Scenario) => seeds.map((seed) => judgeOnce(scenario, seed, SECONDS));
const names = peers.map(({ name }) => name);

say(
  `${RUNS} runs of ${SECONDS} s, 100 requests/s and 10 % to the candidate unless it says otherwise, a look each second, ` +
    `alpha ${drawSettings.alpha}`,
);
say();
const alarms = innocent.map((scenario) => [
  scenario.name,
  share(ofJudge(scenario).map((run) => run.judge)),
  ...ofPeers(scenario).map(share),
]);
printTable(["nobody is worse: failed all the same (aim: at most 1 %)", "judge", ...names], alarms);
say();
const found = guilty.map((scenario) => [
  scenario.name,
  ...times(ofJudge(scenario).map((run) => run.judge)),
  scenario.aim === null ? "" : `${scenario.aim} s`,
  ...ofPeers(scenario).map((one) => times(one)[0] ?? ""),
]);
printTable(["the candidate is worse: found in", "median", "p95", "aim", ...names], found);
say();
const outages = [...innocent.slice(1, 10), ...watched].map((scenario) => {
  const runs = ofJudge({ ...scenario, share: 1 });
  const after = runs.map((run) => (run.judge === null ? null : run.judge - TURNS_BAD_AT));
  const isGuilty = watched.includes(scenario);
  const challenges = runs.map((run) => run.challenges);
  const challenged = runs.map((run) => run.challenged);
  return [
    scenario.name,
    share(after),
    ...(isGuilty ? times(after) : ["", ""]),
    String(percentile(challenges, 50)),
    `${percentile(challenged, 50)} s`,
  ];
});
printTable(
  ["all traffic to the candidate", "rolled back", "median", "p95", "challenges", "lasting"],
  outages,
);
