import { expect, test } from "vitest";
import { randomFrom } from "../../../bench/judge/random.ts";
import {
  type ComparableAnswer,
  type Measure,
  noOutcomes,
} from "../../../src/agents/model_deployer/domain/evidence/late_outcomes.ts";
import { refuseJudgeSettings } from "../../../src/agents/model_deployer/domain/traffic/rollout_plan.ts";
import { lossWorseByAtMost } from "../../../src/agents/model_deployer/judge/evidence/outcome_bound.ts";
import { addOutcomes, addPairs } from "../../../src/agents/model_deployer/judge/evidence/outcome_evidence.ts";
import {
  beginChallenge,
  endChallenge,
  isCleared,
  needsControl,
} from "../../../src/agents/model_deployer/judge/challenge/challenge.ts";
import { newJudgeState } from "../../../src/agents/model_deployer/judge/observe.ts";
import { judge } from "../../../src/agents/model_deployer/judge/verdict.ts";
import { settings as usual, sides } from "./looks.ts";

const DAY = { from: "2026-01-01T00:00:00Z", to: "2026-01-02T00:00:00Z" };
const both = [{ generation: 8, weights: { d1: 80, d2: 20 }, ...DAY }];
const alone = [{ generation: 9, weights: { d2: 100 }, ...DAY }];
const LATER = "2026-01-01T12:00:00Z";

/** So many answers, a fifth of them of the candidate, each side wrong so often. */
function answers(count: number, wrong: { d1: number; d2: number }, only?: "d2"): ComparableAnswer[] {
  const random = randomFrom(7);
  return Array.from({ length: count }, () => {
    const deployment_id = only ?? (random() < 0.2 ? "d2" : "d1");
    const prediction = random() < wrong[deployment_id] ? "no" : "yes";
    return { deployment_id, prediction, score: null, has_failed: false, answered_at: LATER, outcome: "yes" };
  });
}
const measured = (measure: Measure) => ({ measure });
const compared = (count: number, wrong: { d1: number; d2: number }) =>
  addOutcomes(noOutcomes, answers(count, wrong), both, sides, measured("accuracy"));
const boundAfter = (count: number, wrong: { d1: number; d2: number }) =>
  lossWorseByAtMost(compared(count, wrong).excluded, 0.01);

test("the bound falls with the outcomes of a candidate that is as often right, and never below what one is worse by", () => {
  expect(boundAfter(30, { d1: 0.05, d2: 0.05 })).toBeNull();
  expect(boundAfter(1000, { d1: 0.05, d2: 0.05 })).toBeLessThanOrEqual(0.1);
  expect(boundAfter(10_000, { d1: 0.05, d2: 0.05 })).toBeLessThanOrEqual(0.02);
  const ofWorse = boundAfter(10_000, { d1: 0.05, d2: 0.15 });
  expect(ofWorse).toBeGreaterThan(0.1);
});

test("pairs on the same requests tell sooner, and errors of numbers have no bound", () => {
  const pair = { prediction: "yes", score: null, has_failed: false };
  const pairs = Array.from({ length: 400 }, () => ({ candidate: pair, baseline: pair, outcome: "yes" }));
  const { excluded } = addPairs(noOutcomes, pairs, measured("accuracy"));
  expect(lossWorseByAtMost(excluded, 0.01)).toBeLessThanOrEqual(0.03);
  const numbers = pairs.map(() => ({
    candidate: { ...pair, prediction: 1 },
    baseline: { ...pair, prediction: 2 },
    outcome: 2,
  }));
  expect(
    lossWorseByAtMost(addPairs(noOutcomes, numbers, measured("absolute_error")).excluded, 0.01),
  ).toBeNull();
});

test("all traffic waits until outcomes that are worse by their margin are excluded, and the verdict says by how much", () => {
  const outcomes = {
    measure: "accuracy",
    minimum_outcomes: 0,
    worse_by: 0.01,
    sample: 1,
    margin: 0.03,
  } as const;
  const settings = { ...usual, minimum_samples: 0, margin: 1, outcomes };
  const state = (count: number) => ({
    ...newJudgeState([]),
    outcomes: compared(count, { d1: 0.05, d2: 0.05 }),
  });
  const waiting = judge(state(500), settings, true);
  expect(waiting).toMatchObject({ outcome: "inconclusive", lacks: "outcomes" });
  expect(waiting.reason).toContain("outcomes worse by 0.03 are not excluded yet");
  const passed = judge(state(10_000), settings, true);
  expect(passed.outcome).toBe("pass");
  expect(passed.reason).toMatch(/worse by at most [12]\.\d % of the answers/);
});

test("margins that contradict are refused in a sentence", () => {
  const outcomes = {
    measure: "accuracy",
    minimum_outcomes: 0,
    worse_by: 0.05,
    sample: 1,
    margin: 0.03,
  } as const;
  expect(refuseJudgeSettings({ ...usual, outcomes })).toMatch(
    /margin 0\.03 of outcomes is below their worse_by 0\.05/,
  );
  const ofNumbers = { ...outcomes, measure: "absolute_error", worse_by: 0.01 } as const;
  expect(refuseJudgeSettings({ ...usual, outcomes: ofNumbers })).toMatch(/has no largest loss/);
  expect(refuseJudgeSettings({ ...usual, margin: 0.005 })).toMatch(/margin 0\.005 is below its effect_floor/);
});

test("with all traffic, losses above those of before fail nobody: they ask for the baseline, until as many outcomes are compared", () => {
  const outcomes = { measure: "accuracy", minimum_outcomes: 0, worse_by: 0.01, sample: 1 } as const;
  const settings = { ...usual, minimum_samples: 0, margin: 1, outcomes };
  const before = compared(2000, { d1: 0.05, d2: 0.05 });
  const watched = (wrong: number) =>
    addOutcomes(before, answers(300, { d1: 0, d2: wrong }, "d2"), alone, sides, outcomes);
  expect(needsControl({ ...newJudgeState([]), outcomes: watched(0.05) })).toBe(false);
  const suspicious = { ...newJudgeState([]), outcomes: watched(0.4) };
  expect(judge(suspicious, settings).outcome).not.toBe("fail");
  expect(needsControl(suspicious)).toBe(true);
  const begun = beginChallenge(suspicious);
  expect(needsControl(begun)).toBe(false);
  const more = (count: number, wrong: number) => ({
    ...begun,
    excluded: endlessBound,
    outcomes: addOutcomes(
      begun.outcomes ?? noOutcomes,
      answers(count, { d1: 0.05, d2: wrong }),
      both,
      sides,
      outcomes,
    ),
  });
  expect(isCleared(more(200, 0.05), { outcome: "pass" }, settings)).toBe(false);
  expect(isCleared(more(2000, 0.05), { outcome: "pass" }, settings)).toBe(true);
  expect(judge(more(2000, 0.4), settings).outcome).toBe("fail");
  expect(needsControl(endChallenge(more(2000, 0.05), true))).toBe(false);
});

/** As after many answers without a failure. */
const endlessBound = { bets: { blocks: 1, unstaked: 0, wealth: [Array<number>(16).fill(50)] }, carried: 0 };
