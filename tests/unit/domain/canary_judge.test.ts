import { expect, test } from "vitest";
import {
  beginStep,
  judge,
  newJudgeState,
  observe,
} from "../../../src/agents/model_deployer/domain/canary_judge.ts";
import {
  type JudgeState,
  judgeStateSchema,
  type Tally,
  type VersionFigures,
} from "../../../src/agents/model_deployer/domain/rollout.ts";
import { aRollout, figuresOf } from "../../support/given_facts.ts";
import { golden } from "./golden/read_golden.ts";

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
  observe(state, figures(candidate, baseline, epoch), sides, settings);

test("looks multiply: the e-value of a whole rollout is what the exact computation finds", () => {
  let state = newJudgeState([]);
  const found = golden.rollout.looks.map(([candidate, baseline]) => {
    state = look(state, candidate, baseline);
    return state.log_e;
  });
  found.forEach((logE, index) => {
    expect(logE).toBeCloseTo(golden.rollout.log_e[index] ?? Number.NaN, 10);
  });
  expect(state.candidate).toEqual({ errors: 15, requests: 210 });
  expect(state.baseline).toEqual({ errors: 5, requests: 2790 });
});

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

test("a reading that is older than the last one, or leaves a side out, makes nothing count twice", () => {
  const before = look(newJudgeState([]), [1, 100], [1, 900]);
  const older = look(before, [0, 30], [0, 200]);
  const without = observe(older, [], sides, settings);
  const after = look(without, [2, 110], [1, 990]);
  expect(after.candidate).toEqual({ errors: 2, requests: 110 });
  expect(after.baseline).toEqual({ errors: 1, requests: 990 });
});

test("a counter of errors that runs ahead of that of requests leaves evidence that can be kept and read", () => {
  let state = newJudgeState(figures([0, 0], [0, 1000]), "d1");
  for (const candidate of [
    [3, 2],
    [3, 12],
    [4, 22],
  ] as const)
    state = look(state, candidate, [0, 1100]);
  expect(judgeStateSchema.safeParse(state).success).toBe(true);
  expect(Number.isFinite(judge(state, settings).e_value)).toBe(true);
});

test("a deployment that the router does not name yet has no answers", () => {
  const state = observe(newJudgeState([]), [figuresOf("d1", [0, 10])], sides, settings);
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
  step_samples: candidate[1],
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

test("a run of five is a failure, however many successes the look holds; of another length only whole looks count", () => {
  const runs = (candidate: Count, failure_runs: number) => [
    figuresOf("d1", [0, 900]),
    { ...figuresOf("d2", candidate), failure_runs },
  ];
  const before = newJudgeState(runs([5, 50], 1));
  expect(judge(observe(before, runs([9, 150], 1), sides, settings), settings).outcome).not.toBe("fail");
  const run = observe(before, runs([10, 150], 2), sides, settings);
  expect(judge(run, settings)).toMatchObject({ outcome: "fail" });
  expect(judge(run, settings).reason).toContain("5 failures of the candidate came in a row");
  expect(judge(run, { ...settings, failures_in_a_row: 6 }).outcome).not.toBe("fail");
});

test("a step's samples begin with the step, and failing needs none", () => {
  const state = beginStep(look(newJudgeState([]), [0, 100], [0, 900]));
  expect(judge(state, settings).reason).toContain("0 of at least 50 samples at this step");
  expect(judge({ ...state, log_e: 9, candidate: tally([30, 100]) }, settings).outcome).toBe("fail");
});

test("what the baseline did before the rollout is bet by, and not judged", () => {
  const known = newJudgeState([figuresOf("d1", [90, 9000])], "d1");
  expect(known.recent.baseline).toEqual({ requests: 2000, errors: 20 });
  expect(known.baseline).toEqual({ errors: 0, requests: 0 });
});

test("a few last answers of the baseline do not hide what it answered before, once it is asked no more", () => {
  let state = newJudgeState(figures([0, 0], [20, 2000]), "d1");
  for (let index = 1; index <= 20; index += 1) state = look(state, [index, 5 * index], [20, 2003]);
  expect(judge(state, settings)).toMatchObject({ outcome: "fail" });
});

test("a candidate that fails often does not pass beside one failure of a baseline that hardly answers", () => {
  let state = newJudgeState(figures([0, 0], [20, 2000]), "d1");
  for (let index = 1; index <= 10; index += 1) state = look(state, [index, 6 * index], [21, 2002]);
  expect(judge(state, settings).outcome).not.toBe("pass");
});

test("a state that was stored before the later parts existed is read, and begins them anew", () => {
  const {
    recent: _recent,
    step_samples: _samples,
    latency: _latency,
    failure_runs: _runs,
    ...old
  } = newJudgeState([]);
  expect(judgeStateSchema.parse(old)).toEqual(newJudgeState([]));
});
