import { expect, test } from "vitest";
import {
  LATENCY_BOUNDS_MS,
  type VersionFigures,
} from "../../../src/agents/model_deployer/domain/evidence/figures.ts";
import { newJudgeState, observe } from "../../../src/agents/model_deployer/judge/observe.ts";
import { failedBy } from "../../../src/agents/model_deployer/judge/verdict.ts";
import { randomFrom } from "../../../bench/judge/random.ts";
import { type Scenario, type Side, Traffic } from "../../../bench/judge/traffic.ts";
import { settings } from "./looks.ts";

/** Traffic that the tables of `bench:judge` have no row for. */

const sides = { candidate_id: "candidate", baseline_id: "baseline" };
const usual = { requests: 100, share: 0.1, failureRate: () => 0.007 };
type Seen = (traffic: Traffic, second: number) => VersionFigures[];
const asCounted: Seen = (traffic) => traffic.figures();

/** The look at which the candidate was failed, in each of so many runs; null where it never was. */
function lookOfFailure(
  given: Partial<Scenario>,
  { runs = 12, looks = 200, seen = asCounted }: { runs?: number; looks?: number; seen?: Seen } = {},
): (number | null)[] {
  return Array.from({ length: runs }, (_, run) => {
    const scenario = { ...usual, name: "", ...given };
    const traffic = new Traffic(scenario, randomFrom(41 + 7919 * run));
    traffic.before(2000);
    let state = newJudgeState(traffic.figures(), "baseline");
    for (let look = 1; look <= looks; look += 1) {
      traffic.pass(look);
      const sharing = { generation: 1, share: scenario.share };
      state = observe(state, seen(traffic, look), sides, sharing, settings);
      if (failedBy(state, settings) !== null) return look;
    }
    return null;
  });
}

const isCandidate = (side: Side): boolean => side === "candidate";
const never = (runs = 12) => Array.from({ length: runs }, () => null);

test.each<[string, Partial<Scenario>]>([
  ["both fail 60 %", { failureRate: () => 0.6 }],
  ["both fail all", { failureRate: () => 1 }],
  ["an outage of both every other second", { failureRate: (second) => (second % 2 === 0 ? 1 : 0.007) }],
  [
    "both drift there and back within a minute",
    { failureRate: (second) => 0.3 - 0.29 * Math.cos(second / 10) },
  ],
  ["nine in ten requests refused, of one caller who floods both", { refusalRate: () => 0.9 }],
  [
    "latency that jumps tenfold at both for ten seconds of twenty",
    { slowness: (second) => (second % 20 < 10 ? 1 : 10) },
  ],
  [
    "each side stands still for a second of thirty, at moments of its own",
    { slowness: (second, side) => (second % 30 === (isCandidate(side) ? 7 : 22) ? 50 : 1) },
  ],
  ["nearly all traffic to the candidate", { share: 0.9, failureRate: () => 0.2 }],
  ["a hundredth of the traffic", { share: 0.01, failureRate: () => 0.2 }],
])("nobody is worse, and nobody is failed: %s", (_, given) => {
  expect(lookOfFailure(given)).toEqual(never());
});

test.each<[string, number, Partial<Scenario>]>([
  [
    "it is faster, and fails 1.8 % more",
    200,
    {
      failureRate: (_, side) => (isCandidate(side) ? 0.025 : 0.007),
      slowness: (_, side) => (isCandidate(side) ? 0.5 : 1),
    },
  ],
  [
    "both drift, and it fails 5 % more",
    200,
    { failureRate: (second, side) => 0.1 - 0.09 * Math.cos(second / 30) + (isCandidate(side) ? 0.05 : 0) },
  ],
  [
    "both have outages, in turn",
    30,
    { failureRate: (second, side) => (second % 20 < 5 === isCandidate(side) ? 1 : 0.007) },
  ],
  [
    "it fails all for one second of each ten, with half of many requests",
    100,
    {
      requests: 1000,
      share: 0.5,
      failureRate: (second, side) => (isCandidate(side) && second % 10 === 5 ? 1 : 0.007),
    },
  ],
])("a guilty one is found: %s", (_, looks, given) => {
  expect(lookOfFailure(given, { looks })).not.toContain(null);
});

test.each([0.1, 0.3])(
  "the end of a shared outage that is counted %d s later at the candidate fails nobody, however many requests",
  (lag) => {
    const tenths = 10 * lag;
    const runs = Array.from({ length: 4 }, (_, run) => {
      const failureRate = (second: number) => (second % 60 < 5 ? 1 : 0.007);
      const traffic = new Traffic({ ...usual, name: "", requests: 1000, failureRate }, randomFrom(run));
      traffic.before(2000);
      let state = newJudgeState(traffic.figures(), "baseline");
      let baseline = traffic.figures().slice(1);
      for (let second = 1; second <= 130; second += 1) {
        for (let tenth = 1; tenth <= 10; tenth += 1) {
          traffic.pass(second + (tenth - 1) / 10);
          if (tenth === 10 - tenths) baseline = traffic.figures().slice(1);
        }
        const seen = [...traffic.figures().slice(0, 1), ...baseline];
        state = observe(state, seen, sides, { generation: 1, share: 0.1 }, settings);
        if (failedBy(state, settings) !== null) return second;
      }
      return null;
    });
    expect(runs).toEqual(never(4));
  },
);

test("a baseline that is restarted again and again, so that its counters begin anew, fails nobody", () => {
  let began: VersionFigures | undefined;
  const seen: Seen = (traffic, second) => {
    const [candidate, baseline] = traffic.figures();
    if (candidate === undefined || baseline === undefined) return [];
    if (second % 15 === 0) began = baseline;
    const since = (now: number, before = 0) => now - before;
    const counted = {
      ...baseline,
      epoch: String(Math.floor(second / 15)),
      requests: since(baseline.requests, began?.requests),
      errors: since(baseline.errors, began?.errors),
      client_errors: since(baseline.client_errors ?? 0, began?.client_errors),
      latency_counts:
        baseline.latency_counts?.map((count, bin) => since(count, began?.latency_counts?.[bin])) ?? [],
    };
    return [candidate, counted];
  };
  expect(lookOfFailure({ failureRate: () => 0.1 }, { seen, runs: 1 })).toEqual(never(1));
});

/** Answers of 10 s and of 20 ms. */
const latencies = (hung: number, quick: number) =>
  LATENCY_BOUNDS_MS.map((bound) => (bound === 10_000 ? hung : bound === 20 ? quick : 0)).concat(0);

test("what hung at the candidate before a challenge makes it no slower, though quick answers come in between", () => {
  const seen = (look: number, in_flight: number): VersionFigures[] => {
    const [hung, quick] = [100 * Math.min(8, look), 80 * look];
    const of = (deployment_id: string, counts: Partial<VersionFigures>) => ({
      ...{ deployment_id, epoch: "1", requests: 0, errors: 0, p50_ms: null, p99_ms: null },
      ...counts,
    });
    return [
      of("candidate", { requests: hung + quick, in_flight, latency_counts: latencies(hung, quick) }),
      of("baseline", { requests: 2000 + 20 * look, latency_counts: latencies(0, 2000 + 20 * look) }),
    ];
  };
  const challenged = { generation: 2, share: 0.8 };
  let state = { ...newJudgeState(seen(0, 800), "baseline"), warm_looks: 100 };
  for (let look = 0; look <= 20; look += 1) {
    state = observe(state, seen(look, Math.max(0, 100 * (8 - look))), sides, challenged, settings);
    expect(failedBy(state, settings)).toBeNull();
  }
});

/** What takes longer than callers wait is given up by them, and answered to nobody. */
const withImpatientCallers =
  (hangs: (side: string) => number): Seen =>
  (traffic) =>
    traffic.figures().map((one) => {
      const given_up = Math.floor(hangs(one.deployment_id) * one.requests);
      return { ...one, requests: one.requests - given_up, given_up };
    });

test.each([
  [1, 10],
  [0.3, 20],
  [0.05, 200],
])(
  "a candidate that hangs in %d of its answers is found, though callers do not wait for them",
  (part, looks) => {
    const seen = withImpatientCallers((side) => (side === "candidate" ? part : 0));
    const quiet = { failureRate: () => 0 };
    expect(lookOfFailure(quiet, { seen, looks })).not.toContain(null);
    expect(lookOfFailure(quiet, { seen: withImpatientCallers(() => part), runs: 2 })).toEqual(never(2));
  },
);

/** One request at each look, of which every second one is the candidate's: three an hour, looked at as often. */
function fewRequests(looks: number, failed: (side: Side, look: number) => boolean) {
  const counts = { candidate: { requests: 0, errors: 0 }, baseline: { requests: 0, errors: 0 } };
  const figures = () =>
    (["candidate", "baseline"] as const).map((deployment_id) => ({
      ...{ deployment_id, epoch: "1", p50_ms: null, p99_ms: null },
      ...counts[deployment_id],
    }));
  const random = randomFrom(3);
  let state = newJudgeState(figures(), "baseline");
  for (let look = 1; look <= looks; look += 1) {
    const side = random() < 0.5 ? "candidate" : "baseline";
    counts[side].requests += 1;
    counts[side].errors += failed(side, look) ? 1 : 0;
    state = observe(state, figures(), sides, { generation: 1, share: 0.5 }, settings);
    if (failedBy(state, settings) !== null) return look;
  }
  return null;
}

test("three requests an hour tell a candidate that fails all within a day, and an outage of half a day fails nobody", () => {
  expect(fewRequests(72, isCandidate)).not.toBeNull();
  expect(fewRequests(2000, (_, look) => look % 200 < 36)).toBeNull();
});
