import fc from "fast-check";
import { expect, test } from "vitest";
import { randomFrom } from "../../../bench/judge/random.ts";
import {
  type ComparableAnswer,
  type Measure,
  noOutcomes,
  type Outcome,
  type OutcomeSettings,
  type StretchOfRoute,
} from "../../../src/agents/model_deployer/domain/evidence/late_outcomes.ts";
import { newJudgeState } from "../../../src/agents/model_deployer/judge/observe.ts";
import {
  addOutcomes,
  addPairs,
  logOutcomeEvidence,
} from "../../../src/agents/model_deployer/judge/evidence/outcome_evidence.ts";
import { isWorseByOutcomes } from "../../../src/agents/model_deployer/judge/outcome_verdict.ts";
import { logDrawEvidence } from "../../../src/agents/model_deployer/judge/statistics/random_draw.ts";
import {
  logTiltedDraw,
  logTiltedPair,
} from "../../../src/agents/model_deployer/judge/statistics/tilted_draw.ts";
import { judge } from "../../../src/agents/model_deployer/judge/verdict.ts";
import { settings as judgeSettings, sides } from "./looks.ts";

const stretches: StretchOfRoute[] = [
  { generation: 7, weights: { d1: 100 }, from: "2026-01-01T00:00:00Z", to: "2026-01-01T00:10:00Z" },
  { generation: 8, weights: { d1: 80, d2: 20 }, from: "2026-01-01T00:10:01Z", to: "2026-01-01T09:00:00Z" },
];
const LATER = "2026-01-01T01:00:00Z";
const asked = (measure: Measure): OutcomeSettings => ({
  measure,
  minimum_outcomes: 100,
  worse_by: 0.02,
  sample: 1,
});
const settingsOf = (measure: Measure) => ({ ...judgeSettings, minimum_samples: 0, outcomes: asked(measure) });
const answer = (
  deployment_id: string,
  prediction: unknown,
  outcome: Outcome,
  at = LATER,
): ComparableAnswer => ({
  deployment_id,
  prediction,
  score: typeof prediction === "number" ? prediction : null,
  has_failed: false,
  answered_at: at,
  outcome,
});

test("the e-variable of a draw is Fisher's where losses are 0 or 1, and 1 on average over all draws of any losses", () => {
  const losses = [1, 0, 0, 1, 1, 0, 0, 0];
  const draw = { all: 8, allMarked: 3, drawn: 3, marked: 2 };
  expect(logTiltedDraw(losses, [0, 1, 3], Math.log(5))).toBeCloseTo(logDrawEvidence(draw, 5), 10);
  const values = fc.array(fc.double({ min: -4, max: 4, noNaN: true }), { minLength: 2, maxLength: 7 });
  fc.assert(
    fc.property(values, fc.double({ min: 0.1, max: 2, noNaN: true }), fc.nat(), (some, tilt, seed) => {
      const drawn = 1 + (seed % (some.length - 1));
      const draws = subsets(some.length, drawn).map((own) => Math.exp(logTiltedDraw(some, own, tilt)));
      expect(draws.reduce((sum, one) => sum + one, 0) / draws.length).toBeCloseTo(1, 8);
    }),
    { seed: 3 },
  );
  expect((Math.exp(logTiltedPair(2, 0.7)) + Math.exp(logTiltedPair(-2, 0.7))) / 2).toBeCloseTo(1, 12);
});

function subsets(of: number, size: number): number[][] {
  return Array.from({ length: 2 ** of }, (_, bits) =>
    Array.from({ length: of }, (_one, index) => index).filter((index) => (bits >> index) & 1),
  ).filter((one) => one.length === size);
}

type Draw = (
  random: () => number,
  side: "d1" | "d2",
  index: number,
) => [prediction: unknown, outcome: Outcome];

/** Whether a fifth of so many requests, answered by the candidate, failed it at any look. */
function isFailed(seed: number, requests: number, measure: Measure, draw: Draw): boolean {
  const random = randomFrom(seed);
  let evidence = noOutcomes;
  for (let looked = 0; looked < requests; looked += 50) {
    const answers = Array.from({ length: 50 }, (_, index) => {
      const side = random() < 0.2 ? "d2" : "d1";
      return answer(side, ...draw(random, side, looked + index));
    });
    evidence = addOutcomes(evidence, answers, stretches, sides, asked(measure));
    const state = { ...newJudgeState([], "d1"), outcomes: evidence };
    if (judge(state, settingsOf(measure)).outcome === "fail") return true;
  }
  return false;
}

const failures = (runs: number, ...given: [number, Measure, Draw]) =>
  Array.from({ length: runs }, (_, run) => isFailed(100 + run, ...given)).filter(Boolean).length;

const wrongWith = (random: () => number, rate: number): [string, string] => [
  random() < rate ? "no" : "yes",
  "yes",
];
const scored = (random: () => number, off: number): [number, number] => {
  const chance = random();
  const score = Math.min(0.99, Math.max(0.01, chance + off * (random() - 0.5)));
  return [score, random() < chance ? 1 : 0];
};

test("no side is worse, and the truth gets harder and easier: at most 1 in 100 are failed", () => {
  const swing = (index: number) => 0.05 + 0.4 * ((index / 400) % 1);
  expect(
    failures(60, 2000, "accuracy", (random, _side, index) => wrongWith(random, swing(index))),
  ).toBeLessThan(2);
  expect(failures(60, 2000, "brier", (random, _side, index) => scored(random, swing(index)))).toBeLessThan(2);
  const heavy: Draw = (random) => [10 + 1 / Math.max(0.001, random()), 10];
  expect(failures(60, 2000, "absolute_error", heavy)).toBeLessThan(2);
});

test("a candidate that is less often right, or farther off, is failed", () => {
  const worse = (side: string) => (side === "d2" ? 0.2 : 0.08);
  expect(failures(20, 4000, "accuracy", (random, side) => wrongWith(random, worse(side)))).toBeGreaterThan(
    18,
  );
  const off = (side: string) => (side === "d2" ? 1.5 : 0.1);
  expect(failures(20, 4000, "brier", (random, side) => scored(random, off(side)))).toBeGreaterThan(18);
  expect(failures(20, 4000, "log_loss", (random, side) => scored(random, off(side)))).toBeGreaterThan(18);
  const error: Draw = (random, side) => [10 + (side === "d2" ? 3 : 2) * (random() - 0.5), 10];
  expect(failures(20, 4000, "absolute_error", error)).toBeGreaterThan(18);
});

test("a difference below worse_by fails nobody, however sure it is", () => {
  const draw: Draw = (random, side) => [10 + (side === "d2" ? 1.01 : 1) * (random() < 0.5 ? 1 : -1), 10];
  expect(failures(3, 4000, "absolute_error", draw)).toBe(0);
});

test("outcomes without a control, from a change of weights or of a wrong type are counted and compare nothing", () => {
  const given = [
    answer("d1", "yes", "yes", "2026-01-01T00:05:00Z"),
    answer("d2", "yes", "yes", "2026-01-01T00:10:05Z"),
    answer("d2", ["yes", "no"], "yes"),
    answer("d2", { label: "yes" }, "yes"),
  ];
  const evidence = addOutcomes(noOutcomes, given, stretches, sides, asked("accuracy"));
  expect(evidence).toMatchObject({ without_control: 2, wrong_type: 2, pending: {} });
  expect(addOutcomes(noOutcomes, given.slice(2), stretches, sides, asked("brier")).wrong_type).toBe(2);
});

test("pairs on the same requests tell sooner who is less often right", () => {
  const of = (prediction: unknown) => ({ prediction, score: null, has_failed: false });
  const pairs = Array.from({ length: 60 }, (_, index) => ({
    candidate: of(index % 5 === 0 ? "no" : "yes"),
    baseline: of("yes"),
    outcome: "yes",
  }));
  const worse = addPairs(noOutcomes, pairs, asked("accuracy"));
  expect(logOutcomeEvidence(worse)).toBeGreaterThan(Math.log(100));
  expect(isWorseByOutcomes(worse, asked("accuracy"))).toBe(true);
  const swapped = pairs.map(({ candidate, baseline, outcome }) => ({
    candidate: baseline,
    baseline: candidate,
    outcome,
  }));
  expect(logOutcomeEvidence(addPairs(noOutcomes, swapped, asked("accuracy")))).toBeLessThan(0);
});

test("all traffic waits for as many outcomes as the policy asks for", () => {
  const few = Array.from({ length: 200 }, (_, index) => answer(index % 5 === 0 ? "d2" : "d1", "yes", "yes"));
  const settings = { ...settingsOf("accuracy"), margin: 1 };
  const look = (evidence: typeof noOutcomes) =>
    judge({ ...newJudgeState([], "d1"), outcomes: evidence }, settings, true);
  const some = look(addOutcomes(noOutcomes, few, stretches, sides, asked("accuracy")));
  expect(some).toMatchObject({ outcome: "inconclusive", lacks: "outcomes" });
  expect(some.reason).toContain("40 of at least 100 outcomes of the candidate have come");
  const many = [...few, ...few, ...few];
  const passed = look(addOutcomes(noOutcomes, many, stretches, sides, asked("accuracy")));
  expect(passed.outcome).toBe("pass");
  expect(passed.reason).toContain("100.00 % right by 120 outcomes against 100.00 % right by 480 outcomes");
  expect(passed.signals.at(-1)).toMatchObject({
    signal: "outcomes",
    unit: "loss",
    candidate: 0,
    baseline: 0,
  });
});

test.each([
  ["an outcome that stands for unknown", 1e308],
  ["one of another unit", -999_999],
])("%s hides no candidate that errs more, fails no other one, and is counted", (_, odd) => {
  const told = (candidate: number) =>
    Array.from({ length: 2000 }, (_one, index) => {
      const isOwn = index % 5 === 0;
      const error = (1 + (index % 7)) * (isOwn ? candidate : 1);
      return answer(isOwn ? "d2" : "d1", 100, index % 101 === 0 ? odd : 100 + error);
    });
  const after = (candidate: number) =>
    addOutcomes(noOutcomes, told(candidate), stretches, sides, asked("absolute_error"));
  const enough = -Math.log(judgeSettings.alpha * 0.1);
  const worse = after(3);
  expect(logOutcomeEvidence(worse)).toBeGreaterThan(enough);
  expect(isWorseByOutcomes(worse, asked("absolute_error"))).toBe(true);
  expect(worse.far_out).toBe(20);
  expect(logOutcomeEvidence(after(1))).toBeLessThan(enough);
});
