import { judge, newJudgeState, observe } from "../src/agents/model_deployer/domain/canary_judge.ts";
import {
  LATENCY_BOUNDS_MS,
  RUN_OF_FAILURES,
  type Tally,
  type VersionFigures,
} from "../src/agents/model_deployer/domain/rollout.ts";
import { defaultJudgeSettings } from "../src/agents/model_deployer/domain/rollout_plan.ts";
import { percentile } from "./support/figures.ts";
import { option, printTable, say } from "./support/report.ts";

/**
 * How often a candidate that is no worse is failed all the same, and how soon one that is worse is found: the judge at its
 * usual settings, which looks at errors, runs of failures and latency at once, beside a z-test of two proportions at the
 * same number of looks. Requests are drawn one by one, so that runs of failures come in their order; everything is drawn
 * from one seed. Latencies are lognormal.
 *
 * usage: node bench/judge.ts [--runs=400] [--seconds=600] [--requests=100] [--seed=1]
 */
const RUNS = option("runs", 400);
const SECONDS = option("seconds", 600);
const REQUESTS = option("requests", 100);
const SEED = option("seed", 1);
const CANARY_SHARE = 0.1;
const BASELINE_RATE = 0.01;
/** Requests before the rollout, by which the judge knows the baseline. */
const PAST = 2000;
const MEDIAN_MS = 20;
const LATENCY_SPREAD = 0.8;
/** Two-sided at 5 %, as it is usually configured. */
const Z = 1.96;

interface Found {
  judge: number | null;
  zTest: number | null;
}

/** Mulberry32, so that every run can be had again. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** One side's counters as a router keeps them. */
class Counters {
  readonly tally: Tally = { requests: 0, errors: 0 };
  readonly #latency = LATENCY_BOUNDS_MS.map(() => 0).concat(0);
  #runs = 0;
  #inARow = 0;

  answer(isFailure: boolean, ms: number): void {
    this.tally.requests += 1;
    const bound = LATENCY_BOUNDS_MS.findIndex((most) => ms <= most);
    const bin = bound === -1 ? LATENCY_BOUNDS_MS.length : bound;
    this.#latency[bin] = (this.#latency[bin] ?? 0) + 1;
    if (!isFailure) this.#inARow = 0;
    else {
      this.tally.errors += 1;
      this.#inARow += 1;
      if (this.#inARow % RUN_OF_FAILURES === 0) this.#runs += 1;
    }
  }

  figures(deployment_id: string): VersionFigures {
    const unknown = { p50_ms: null, p99_ms: null };
    const latency_counts = [...this.#latency];
    return { deployment_id, epoch: "1", ...this.tally, ...unknown, failure_runs: this.#runs, latency_counts };
  }
}

function zOf(candidate: Tally, baseline: Tally): number {
  const pooled = (candidate.errors + baseline.errors) / (candidate.requests + baseline.requests);
  const spread = pooled * (1 - pooled) * (1 / candidate.requests + 1 / baseline.requests);
  if (spread === 0) return 0;
  return (candidate.errors / candidate.requests - baseline.errors / baseline.requests) / Math.sqrt(spread);
}

/** By Box and Muller. */
function millisecondsFrom(random: () => number): number {
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return MEDIAN_MS * Math.exp(LATENCY_SPREAD * normal);
}

interface Candidate {
  error_rate: number;
  /** Its latencies are so many times the baseline's. */
  slowness: number;
}

/** The second in which each of them first says that the candidate is worse. */
function runOnce({ error_rate, slowness }: Candidate, seed: number): Found {
  const random = randomFrom(seed);
  const clock = randomFrom(seed + 1);
  const candidate = new Counters();
  const baseline = new Counters();
  for (let past = 0; past < PAST; past += 1) {
    baseline.answer(random() < BASELINE_RATE, millisecondsFrom(clock));
  }
  const before = { ...baseline.tally };
  const look = () => [candidate.figures("candidate"), baseline.figures("baseline")];
  const sides = { candidate_id: "candidate", baseline_id: "baseline" };
  let state = newJudgeState(look(), "baseline");
  const found: Found = { judge: null, zTest: null };
  for (let second = 1; second <= SECONDS; second += 1) {
    for (let request = 0; request < REQUESTS; request += 1) {
      const ms = millisecondsFrom(clock);
      if (random() < CANARY_SHARE) candidate.answer(random() < error_rate, ms * slowness);
      else baseline.answer(random() < BASELINE_RATE, ms);
    }
    state = observe(state, look(), sides, defaultJudgeSettings);
    if (judge(state, defaultJudgeSettings).outcome === "fail") found.judge ??= second;
    const { requests, errors } = baseline.tally;
    const since = { requests: requests - before.requests, errors: errors - before.errors };
    if (zOf(candidate.tally, since) > Z) found.zTest ??= second;
    if (found.judge !== null && found.zTest !== null) break;
  }
  return found;
}

const share = (values: (number | null)[]) =>
  `${((100 * values.filter((value) => value !== null).length) / values.length).toFixed(2)} %`;

function times(values: (number | null)[]): string[] {
  const counted = values.map((value) => value ?? Infinity);
  return [50, 95].map((percent) => {
    const seconds = percentile(counted, percent);
    return Number.isFinite(seconds) ? `${seconds} s` : "never";
  });
}

say(
  `${RUNS} runs of ${SECONDS} s, ${REQUESTS} requests/s, ${100 * CANARY_SHARE} % to the candidate, ` +
    `baseline fails ${100 * BASELINE_RATE} %, a look each second, alpha ${defaultJudgeSettings.alpha}`,
);
const seeds = Array.from({ length: RUNS }, (_, run) => SEED * 1_000_003 + run * 7919);
const byErrors = [0.01, 0.03, 0.05, 0.1, 0.5].map((rate) => {
  const found = seeds.map((seed) => runOnce({ error_rate: rate, slowness: 1 }, seed));
  const judged = found.map((one) => one.judge);
  const tested = found.map((one) => one.zTest);
  const what = rate === BASELINE_RATE ? "1 %, no worse: false alarms" : `${100 * rate} %: found`;
  return [what, share(judged), ...times(judged), share(tested), ...times(tested)];
});
printTable(["candidate fails", "judge", "median", "p95", "z-test", "median", "p95"], byErrors);
const byLatency = [1.5, 2, 3, 5].map((slowness) => {
  const judged = seeds.map((seed) => runOnce({ error_rate: BASELINE_RATE, slowness }, seed).judge);
  return [`${slowness} times as slow: found`, share(judged), ...times(judged)];
});
printTable(["candidate is", "judge", "median", "p95"], byLatency);
