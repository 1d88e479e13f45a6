import { expect, test } from "vitest";
import type { KeptLook } from "../../../src/agents/model_deployer/domain/evidence/kept_look.ts";
import { isKept, judgeAgain } from "../../../src/agents/model_deployer/judge/judged_again.ts";
import { newJudgeState, observe } from "../../../src/agents/model_deployer/judge/observe.ts";
import { judge } from "../../../src/agents/model_deployer/judge/verdict.ts";
import { later } from "../../support/given/given_facts.ts";
import { figures, settings, sharing, sides } from "./looks.ts";

/** Looks in which the candidate fails this many of each ten answers, the baseline none of ninety. */
function looksOf(failures: readonly number[]): { looks: KeptLook[]; said: string[] } {
  let state = newJudgeState(figures([0, 0], [0, 0]), "d1");
  let failed = 0;
  const said: string[] = [];
  const looks = failures.map((more, index): KeptLook => {
    failed += more;
    const seen = figures([failed, 10 * (index + 1)], [0, 90 * (index + 1)]);
    state = observe(state, seen, sides, sharing, settings);
    const { outcome, reason } = judge(state, settings);
    said.push(reason);
    return {
      looked_at: later(index),
      status: "running",
      step_index: 0,
      ...sharing,
      needs_bound: false,
      alone: false,
      challenged: false,
      answers: true,
      outcomes: null,
      predictions: null,
      metrics: {},
      figures: seen,
      outcome,
      reason,
    };
  });
  return { looks, said };
}

const before = newJudgeState(figures([0, 0], [0, 0]), "d1");
const outcomes = (looks: KeptLook[], alpha: number) =>
  judgeAgain({ before, looks }, sides, { ...settings, alpha }).map(({ verdict }) => verdict.outcome);

test("under the same settings each look says word for word what was said then", () => {
  const { looks, said } = looksOf([0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 4]);
  const again = judgeAgain({ before, looks }, sides, settings);
  expect(again.map(({ verdict }) => verdict.reason)).toEqual(said);
});

test("under a smaller alpha it fails later, or not at all", () => {
  const { looks } = looksOf([0, 0, 0, 0, 0, 0, 2, 2, 2, 2, 2, 2, 2, 2]);
  const usual = outcomes(looks, 0.01).indexOf("fail");
  const careful = outcomes(looks, 0.000_01).indexOf("fail");
  expect(usual).toBeGreaterThan(5);
  expect(careful === -1 || careful > usual).toBe(true);
});

test("each step counts its own samples again, as it did then", () => {
  const { looks } = looksOf([0, 0, 0, 0, 0, 0, 0]);
  const stepped = looks.map((look, index) => ({ ...look, step_index: index < 5 ? 0 : 1 }));
  const lacks = judgeAgain({ before, looks: stepped }, sides, settings).map(({ verdict }) => verdict.lacks);
  expect(lacks).toEqual(["samples", "samples", "samples", "samples", null, "samples", "samples"]);
});

test("a server that did not answer fails it under any settings", () => {
  const { looks } = looksOf([0]);
  const gone = looks.map((look) => ({ ...look, answers: false, outcome: "fail" as const, reason: "gone" }));
  expect(judgeAgain({ before, looks: gone }, sides, settings)[0]?.verdict).toMatchObject({
    outcome: "fail",
    reason: "gone",
  });
});

test("the longer a rollout lasts the fewer of its looks are kept: some thousands in a month of one a second", () => {
  let state = before;
  const day = 86_400;
  for (let second = 0; second < 30 * day; second += second < 3600 ? 1 : 5) {
    const now = later(second);
    if (!isKept(state, { hasChanged: false, hasAnswers: true, now })) continue;
    const { first_at, count } = state.looks ?? { first_at: now, count: 0 };
    state = { ...state, looks: { first_at, last_at: now, count: count + 1 } };
  }
  expect(state.looks?.count).toBeGreaterThan(600);
  expect(state.looks?.count).toBeLessThan(3500);
});

test("without answers nothing is kept, unless the route or the verdict changed", () => {
  const state = { ...before, looks: { first_at: later(0), last_at: later(1), count: 2 } };
  const idle = { hasAnswers: false, now: later(1000) };
  expect(isKept(state, { ...idle, hasChanged: false })).toBe(false);
  expect(isKept(state, { ...idle, hasChanged: true })).toBe(true);
});
