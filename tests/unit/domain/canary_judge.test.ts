import fc from "fast-check";
import { expect, test } from "vitest";
import {
  judge,
  logEFactor,
  newJudgeState,
  observe,
} from "../../../src/agents/model_deployer/domain/canary_judge.ts";
import type { JudgeState, Tally, VersionFigures } from "../../../src/agents/model_deployer/domain/rollout.ts";
import { aRollout, figuresOf } from "../../support/given_facts.ts";

const sides = { candidate_id: "d2", baseline_id: "d1" };
const settings = aRollout().judge;

/** Errors of requests. */
type Count = readonly [number, number];
const tally = ([errors, requests]: Count): Tally => ({ errors, requests });
const figures = (candidate: Count, baseline: Count, epoch = "1"): VersionFigures[] => [
  figuresOf("d1", baseline, epoch),
  figuresOf("d2", candidate, epoch),
];
const look = (state: JudgeState, candidate: Count, baseline: Count, epoch = "1") =>
  observe(state, figures(candidate, baseline, epoch), sides);

// The golden values come from a Python script that multiplies the Bernoulli probabilities of the paper's e-variable
// answer by answer: prod p(y | bet of its side) / p(y | pooled bet), bets being posterior means under Beta(.18, .18).
test.each<[Count, Count, Count, Count, number]>([
  [[5, 100], [1, 900], [4, 50], [2, 450], 5.35112225421181],
  [[1, 10], [0, 90], [3, 10], [0, 90], 6.730513023041297],
])(
  "one block after %j and %j, of %j and %j",
  (pastCandidate, pastBaseline, candidate, baseline, expected) => {
    const past = { candidate: tally(pastCandidate), baseline: tally(pastBaseline) };
    const block = { candidate: tally(candidate), baseline: tally(baseline) };
    expect(logEFactor(past, block)).toBeCloseTo(expected, 10);
  },
);

test("looks multiply: the e-value of a whole rollout is what the script finds", () => {
  let state = newJudgeState([]);
  state = look(state, [0, 0], [1, 900]);
  state = look(state, [5, 100], [2, 1800]);
  expect(state.log_e).toBe(0);
  state = look(state, [9, 150], [4, 2250]);
  expect(state.log_e).toBeCloseTo(5.278490445449363, 10);
  state = look(state, [15, 210], [5, 2790]);
  expect(state.log_e).toBeCloseTo(16.43584316549866, 10);
  expect(state.candidate).toEqual({ errors: 15, requests: 210 });
  expect(state.baseline).toEqual({ errors: 5, requests: 2790 });
});

test("nothing is bet while the candidate looks no worse, or while one side has no answers or no past", () => {
  const good = { candidate: tally([1, 100]), baseline: tally([5, 100]) };
  const block = { candidate: tally([9, 10]), baseline: tally([0, 10]) };
  expect(logEFactor(good, block)).toBe(0);
  const bad = { candidate: tally([5, 100]), baseline: tally([1, 100]) };
  expect(logEFactor(bad, { ...block, baseline: tally([0, 0]) })).toBe(0);
  expect(logEFactor(bad, { ...block, candidate: tally([0, 0]) })).toBe(0);
  const noPast = tally([0, 0]);
  expect(logEFactor({ ...bad, candidate: noPast }, block)).toBe(0);
  expect(logEFactor({ ...bad, baseline: noPast }, block)).toBe(0);
});

const count = fc
  .integer({ min: 0, max: 500 })
  .chain((n) => fc.tuple(fc.integer({ min: 0, max: n }), fc.constant(n)));

test("the expected factor of a block is at most 1 for every common error rate, exactly summed", () => {
  const choose = (n: number, k: number): number => (k === 0 ? 1 : (choose(n - 1, k - 1) * n) / k);
  const binomial = (n: number, k: number, p: number) => choose(n, k) * p ** k * (1 - p) ** (n - k);
  const size = fc.integer({ min: 1, max: 12 });
  fc.assert(
    fc.property(
      count,
      count,
      size,
      size,
      fc.double({ min: 0.001, max: 0.999, noNaN: true }),
      (a, b, m, n, p) => {
        const past = { candidate: tally(a), baseline: tally(b) };
        let expected = 0;
        for (let i = 0; i <= m; i += 1)
          for (let j = 0; j <= n; j += 1) {
            const factor = Math.exp(logEFactor(past, { candidate: tally([i, m]), baseline: tally([j, n]) }));
            expected += binomial(m, i, p) * binomial(n, j, p) * factor;
          }
        expect(expected).toBeLessThanOrEqual(1 + 1e-9);
      },
    ),
    { numRuns: 300, seed: 11 },
  );
});

/** Mulberry32: small, seeded, good enough to draw failures with. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

interface Simulated {
  rates: { candidate: number; baseline: number };
  looks: number;
  seed: number;
}

/** Ten candidate and ninety baseline answers a look; the state at the end, and whether it ever failed. */
function simulate({ rates, looks, seed }: Simulated): { state: JudgeState; failed: boolean } {
  const random = randomFrom(seed);
  const draw = (requests: number, rate: number) =>
    Array.from({ length: requests }, random).filter((value) => value < rate).length;
  let state = newJudgeState([]);
  let failed = false;
  const errors = { candidate: 0, baseline: 0 };
  for (let index = 1; index <= looks; index += 1) {
    errors.candidate += draw(10, rates.candidate);
    errors.baseline += draw(90, rates.baseline);
    state = look(state, [errors.candidate, 10 * index], [errors.baseline, 90 * index]);
    failed ||= judge(state, { ...settings, failures_in_a_row: 1_000_000 }).outcome === "fail";
  }
  return { state, failed };
}

test("simulated under the null the e-value is 1 on average, and false alarms stay under alpha", () => {
  const runs = Array.from({ length: 2000 }, (_, index) =>
    simulate({ rates: { candidate: 0.05, baseline: 0.05 }, looks: 30, seed: 1000 + index }),
  );
  const mean = runs.reduce((sum, run) => sum + Math.exp(run.state.log_e), 0) / runs.length;
  expect(mean).toBeGreaterThan(0.5);
  expect(mean).toBeLessThan(1.15);
  expect(runs.filter((run) => run.failed).length / runs.length).toBeLessThanOrEqual(settings.alpha);
});

test("simulated under the alternative a candidate that fails half of its answers is always found", () => {
  for (let seed = 1; seed <= 100; seed += 1) {
    const rates = { candidate: 0.5, baseline: 0.01 };
    expect(simulate({ rates, looks: 10, seed }).failed).toBe(true);
  }
});

test("the same look twice changes nothing", () => {
  fc.assert(
    fc.property(count, count, count, count, (candidate, baseline, moreCandidate, moreBaseline) => {
      const once = look(
        look(newJudgeState([]), candidate, baseline),
        sum(candidate, moreCandidate),
        sum(baseline, moreBaseline),
      );
      expect(observe(once, once.last_figures, sides)).toEqual(once);
    }),
    { seed: 13 },
  );
});
const sum = (a: Count, b: Count): Count => [a[0] + b[0], a[1] + b[1]];

test("what was counted before the rollout began is left out", () => {
  const state = look(newJudgeState(figures([0, 0], [7, 1000])), [0, 20], [8, 1100]);
  expect(state.candidate).toEqual({ errors: 0, requests: 20 });
  expect(state.baseline).toEqual({ errors: 1, requests: 100 });
});

test("counters that began anew are counted from zero, and those that shrank count as nothing", () => {
  const before = look(newJudgeState([]), [1, 100], [1, 900]);
  expect(look(before, [2, 30], [0, 200], "2").candidate).toEqual({ errors: 3, requests: 130 });
  expect(look(before, [0, 30], [0, 200]).candidate).toEqual({ errors: 1, requests: 100 });
});

test("a deployment that the router does not name yet has no answers", () => {
  const state = observe(newJudgeState([]), [figuresOf("d1", [0, 10])], sides);
  expect(state.candidate).toEqual({ errors: 0, requests: 0 });
});

test("failures in a row count across looks, and one success ends them", () => {
  let state = look(newJudgeState([]), [2, 2], [0, 20]);
  state = look(state, [4, 4], [0, 40]);
  expect(judge(state, settings).outcome).toBe("inconclusive");
  const failing = look(state, [5, 5], [0, 50]);
  expect(judge(failing, settings)).toMatchObject({ outcome: "fail" });
  expect(judge(failing, settings).reason).toContain("5 failures of the candidate and no success among them");
  const saved = look(state, [5, 6], [0, 60]);
  expect(saved.failures_in_a_row).toBe(0);
  expect(judge(saved, settings).outcome).toBe("inconclusive");
});

/** `looks` more looks of fifty answers a side; the candidate fails so many of them at each look in turn. */
function goOn(from: JudgeState, looks: number, candidateErrors: (index: number) => number): JudgeState {
  let state = from;
  const answered = (side: Tally, errors: number): Count => [side.errors + errors, side.requests + 50];
  for (let index = 0; index < looks; index += 1)
    state = look(state, answered(state.candidate, candidateErrors(index)), answered(state.baseline, 0));
  return state;
}

test("a candidate that turns bad after hundreds of good looks fails, however good its past makes it on average", () => {
  const good = goOn(newJudgeState([]), 300, () => 0);
  expect(judge(good, settings).outcome).toBe("pass");
  const bad = goOn(good, 60, (index) => 1 + (index % 2));
  expect(bad.candidate.errors / bad.candidate.requests).toBeLessThan(settings.effect_floor);
  expect(judge(bad, settings)).toMatchObject({ outcome: "fail" });
});

test("a difference that stays under the floor never fails, whatever the evidence for it", () => {
  const slightlyWorse = goOn(newJudgeState([]), 600, (index) => (index % 5 === 0 ? 1 : 0));
  expect(slightlyWorse.log_e).toBeGreaterThan(Math.log(1 / settings.alpha));
  expect(judge(slightlyWorse, settings).outcome).toBe("pass");
});

test("an absence of the worker after the first look is no evidence against a later failure", () => {
  let state = look(newJudgeState([]), [0, 0], [0, 3]);
  state = look(state, [0, 600], [5, 5400]);
  expect(state.log_e).toBe(0);
  let failed = false;
  for (let index = 1; index <= 200; index += 1) {
    state = look(state, [Math.floor(index / 2), 600 + 10 * index], [5, 5400 + 90 * index]);
    failed ||= judge(state, settings).outcome === "fail";
  }
  expect(failed).toBe(true);
});

const stateWith = (candidate: Count, baseline: Count, logE: number): JudgeState => ({
  ...newJudgeState([]),
  candidate: tally(candidate),
  baseline: tally(baseline),
  log_e: logE,
});

test.each<[string, Count, Count, number, string]>([
  ["too few samples say nothing, however good", [0, 49], [0, 900], 0, "inconclusive"],
  ["enough samples and no difference", [0, 50], [0, 900], 0, "pass"],
  ["a difference under the floor is no reason to fail", [1, 101], [0, 900], 99, "pass"],
  ["a difference at the floor needs evidence", [1, 100], [0, 900], 0, "inconclusive"],
  ["evidence of just under 1/alpha is not enough", [30, 100], [0, 900], Math.log(99.9), "inconclusive"],
  ["evidence of 1/alpha is", [30, 100], [0, 900], Math.log(100.000001), "fail"],
])("%s", (_what, candidate, baseline, logE, outcome) => {
  const verdict = judge(stateWith(candidate, baseline, logE), settings);
  expect(verdict.outcome).toBe(outcome);
  expect(verdict.candidate).toEqual(tally(candidate));
});

test("a verdict says its numbers, and huge evidence is still a number", () => {
  const verdict = judge(stateWith([30, 100], [9, 900], 5000), settings);
  expect(verdict.reason).toContain("candidate failed 30 of 100 (30.00 %), baseline 9 of 900 (1.00 %)");
  expect(Number.isFinite(verdict.e_value)).toBe(true);
});
