import { expect, test } from "vitest";
import { judgeQueues, queued } from "../../../bench/judge/queues.ts";
import { newJudgeState, observe } from "../../../src/agents/model_deployer/judge/observe.ts";
import { failedBy } from "../../../src/agents/model_deployer/judge/verdict.ts";
import { randomFrom } from "../../../bench/judge/random.ts";
import { type Scenario, Traffic } from "../../../bench/judge/traffic.ts";
import { defaultJudgeSettings as settings } from "../../../src/agents/model_deployer/domain/traffic/rollout_plan.ts";

const sides = { candidate_id: "candidate", baseline_id: "baseline" };
const usual = { name: "", requests: 100, share: 0.1, failureRate: () => 0.007 };

const seeds = (runs: number) => Array.from({ length: runs }, (_, run) => 41 + 7919 * run);

/** Seconds until it was failed; null where it never was. */
function secondsToFailure(given: Partial<Scenario>, seed: number, seconds: number): number | null {
  const scenario = { ...usual, ...given };
  const traffic = new Traffic(scenario, randomFrom(seed));
  traffic.before(2000);
  let state = newJudgeState(traffic.figures(), "baseline");
  for (let second = 1; second <= seconds; second += 1) {
    traffic.pass(second);
    const sharing = { generation: 1, share: scenario.share };
    state = observe(state, traffic.figures(), sides, sharing, settings);
    if (failedBy(state, settings) !== null) return second;
  }
  return null;
}

test.each(queued.map((given) => [given.name, given] as const))(
  "the same server twice is not condemned for the load of the larger share: %s",
  (_, given) => {
    const runs = seeds(12).map((seed) => judgeQueues(given, seed, 600));
    expect(runs.filter(({ judge }) => judge !== null)).toEqual([]);
    // Each challenge that it passes vouches for longer than the one before.
    expect(Math.max(...runs.map(({ challenges }) => challenges))).toBeLessThan(8);
  },
);

const HOUR = 3600;

test.each<[string, Partial<Scenario>]>([
  [
    "fails .5 % more, and then 10 % more",
    {
      failureRate: (second, side) => 0.007 + (side === "baseline" ? 0 : second <= HOUR ? 0.005 : 0.1),
    },
  ],
  [
    "is 1.1 times as slow, and then twice",
    { slowness: (second, side) => (side === "baseline" ? 1 : second <= HOUR ? 1.1 : 2) },
  ],
])("an hour of a difference that is tolerated hides nothing: it %s", (_, given) => {
  const found = seeds(6).map((seed) => (secondsToFailure(given, seed, HOUR + 120) ?? Infinity) - HOUR);
  expect(Math.max(...found)).toBeLessThan(60);
});

test("a server that stands still once for a second is not slower by that", () => {
  const still: Partial<Scenario> = {
    slowness: (second, side) => (side === "candidate" && second === 8 ? 50 : 1),
  };
  const failed = seeds(100).filter((seed) => secondsToFailure(still, seed, 60) !== null);
  expect(failed.length).toBeLessThanOrEqual(2);
});
