import {
  LATENCY_BOUNDS_MS,
  type VersionFigures,
} from "../../src/agents/model_deployer/domain/evidence/figures.ts";
import {
  beginChallenge,
  CHALLENGED_WEIGHT,
  endChallenge,
  isCleared,
  needsControl,
} from "../../src/agents/model_deployer/judge/challenge/challenge.ts";
import { beginStep, newJudgeState, observe } from "../../src/agents/model_deployer/judge/observe.ts";
import { failedBy } from "../../src/agents/model_deployer/judge/verdict.ts";
import { defaultJudgeSettings } from "../../src/agents/model_deployer/domain/traffic/rollout_plan.ts";
import { normalFrom, randomFrom } from "./random.ts";
import { Counters, type Side } from "./traffic.ts";

/** Two deployments of the same server, whose requests queue: only the share of the traffic differs between them. */
export interface Queues {
  name: string;
  /** Predictions that a server makes at once. */
  workers: number;
  /** Of one prediction, at the median; lognormal. */
  milliseconds: number;
  /** Requests a second, and so many after the first minute. */
  requests: number;
  peak: number;
  /** The candidate's shares, a minute each; one that ends with all traffic is watched for the rest of the time. */
  shares: readonly number[];
}

const SPREAD = 0.3;
const STEPS = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];
const STEP_SECONDS = 60;
const sides = { candidate_id: "candidate", baseline_id: "baseline" };

const queues = (workers: number, milliseconds: number, requests: number, peak: number, watched: boolean) => ({
  name: `${watched ? "watched" : "step by step"}, ${workers} at once of ${milliseconds} ms, ${requests}/s${peak === requests ? "" : `, then ${peak}/s`}`,
  ...{ workers, milliseconds, requests, peak, shares: watched ? [1] : STEPS },
});

/** Nobody is worse here. */
export const queued: readonly Queues[] = [
  queues(1, 20, 15, 15, false),
  queues(1, 20, 25, 25, false),
  queues(1, 20, 35, 35, false),
  queues(2, 20, 80, 80, false),
  queues(4, 20, 140, 140, false),
  queues(1, 5, 120, 120, false),
  queues(1, 20, 15, 15, true),
  queues(1, 20, 15, 30, true),
  queues(4, 20, 60, 140, true),
];

interface Answer {
  side: Side;
  /** When it comes, in seconds, and how long it took. */
  at: number;
  milliseconds: number;
}

class QueuedTraffic {
  readonly #given: Queues;
  readonly #random: () => number;
  readonly #free: Record<Side, number[]>;
  readonly #counters: Record<Side, Counters> = { candidate: new Counters(), baseline: new Counters() };
  #now = 0;
  #due: Answer[] = [];

  constructor(given: Queues, seed: number) {
    this.#given = given;
    this.#random = randomFrom(seed);
    const idle = () => Array.from({ length: given.workers }, () => 0);
    this.#free = { candidate: idle(), baseline: idle() };
  }

  pass(until: number, requests: number, share: number): void {
    while (this.#now < until) {
      this.#now -= Math.log(1 - this.#random()) / requests;
      this.#ask(this.#random() < share ? "candidate" : "baseline");
    }
    for (const { side, milliseconds } of this.#due.filter(({ at }) => at <= until))
      this.#count(side, milliseconds);
    this.#due = this.#due.filter(({ at }) => at > until);
  }

  #ask(side: Side): void {
    const free = this.#free[side];
    const first = free.indexOf(Math.min(...free));
    const takes = (this.#given.milliseconds / 1000) * Math.exp(SPREAD * normalFrom(this.#random));
    const at = Math.max(this.#now, free[first] ?? 0) + takes;
    free[first] = at;
    this.#due.push({ side, at, milliseconds: (at - this.#now) * 1000 });
  }

  #count(side: Side, milliseconds: number): void {
    const counters = this.#counters[side];
    const found = LATENCY_BOUNDS_MS.findIndex((bound) => milliseconds <= bound);
    const bin = found === -1 ? LATENCY_BOUNDS_MS.length : found;
    counters.requests += 1;
    counters.latency[bin] = (counters.latency[bin] ?? 0) + 1;
  }

  figures(): VersionFigures[] {
    return (["candidate", "baseline"] as const).map((side) => ({
      ...this.#counters[side].figures(side),
      in_flight: this.#due.filter((one) => one.side === side).length,
    }));
  }
}

/** The second in which the candidate was failed, null where it never was, and how often it was challenged. */
export function judgeQueues(
  given: Queues,
  seed: number,
  seconds: number,
): { judge: number | null; challenges: number } {
  const traffic = new QueuedTraffic(given, seed);
  const before = Math.ceil(2000 / given.requests);
  traffic.pass(before, given.requests, 0);
  let state = newJudgeState(traffic.figures(), "baseline");
  let [asked, share, generation, challenges] = [given.shares[0] ?? 1, given.shares[0] ?? 1, 1, 0];
  const turn = (to: number) => {
    share = to;
    generation += 1;
  };
  const last = given.shares.length === 1 ? seconds : given.shares.length * STEP_SECONDS;
  for (let second = 1; second <= last; second += 1) {
    const step = given.shares[Math.floor((second - 1) / STEP_SECONDS)] ?? asked;
    if (step !== asked) {
      asked = step;
      state = beginStep(state);
      turn(step);
    }
    traffic.pass(before + second, second > STEP_SECONDS ? given.peak : given.requests, share);
    state = observe(state, traffic.figures(), sides, { generation, share }, defaultJudgeSettings);
    if (failedBy(state, defaultJudgeSettings) !== null) return { judge: second, challenges };
    if (share === 1 && needsControl(state)) {
      challenges += 1;
      state = beginChallenge(state);
      turn(CHALLENGED_WEIGHT / 100);
    } else if (share < asked && isCleared(state, { outcome: "inconclusive" }, defaultJudgeSettings)) {
      state = endChallenge(state, true);
      turn(asked);
    }
  }
  return { judge: null, challenges };
}
