import fc from "fast-check";
import { expect, test } from "vitest";
import { judge, newJudgeState, observe } from "../../../src/agents/model_deployer/domain/canary_judge.ts";
import { type JudgeState, type VersionFigures } from "../../../src/agents/model_deployer/domain/rollout.ts";
import { aRollout, figuresOf } from "../../support/given_facts.ts";

const sides = { candidate_id: "d2", baseline_id: "d1" };
const settings = aRollout().judge;

/** Errors of requests. */
type Count = readonly [number, number];
const figures = (candidate: Count, baseline: Count, epoch = "1"): VersionFigures[] => [
  figuresOf("d1", baseline, epoch),
  figuresOf("d2", candidate, epoch),
];
const look = (state: JudgeState, candidate: Count, baseline: Count, epoch = "1") =>
  observe(state, figures(candidate, baseline, epoch), sides, settings);

const count = fc
  .integer({ min: 0, max: 500 })
  .chain((n) => fc.tuple(fc.integer({ min: 0, max: n }), fc.constant(n)));

test("the same look twice changes nothing", () => {
  fc.assert(
    fc.property(count, count, count, count, (candidate, baseline, moreCandidate, moreBaseline) => {
      const once = look(
        look(newJudgeState([]), candidate, baseline),
        sum(candidate, moreCandidate),
        sum(baseline, moreBaseline),
      );
      expect(observe(once, once.last_figures, sides, settings)).toEqual(once);
    }),
    { seed: 13 },
  );
});

const sum = (a: Count, b: Count): Count => [a[0] + b[0], a[1] + b[1]];

test("evidence only grows with the candidate's failures: the same looks with one more never turn fail into pass", () => {
  const oneMore = (state: JudgeState, errors: Count[], extra: number) =>
    errors.reduce((so, [candidate, baseline], index) => {
      const more = candidate + (index === errors.length - 1 ? extra : 0);
      const next = so.candidate.requests + 20;
      return look(so, [so.candidate.errors + more, next], [so.baseline.errors + baseline, 9 * next]);
    }, state);
  const looks = fc.array(fc.tuple(fc.integer({ min: 0, max: 19 }), fc.integer({ min: 0, max: 20 })), {
    minLength: 2,
    maxLength: 12,
  });
  fc.assert(
    fc.property(looks, (errors) => {
      const fewer = oneMore(newJudgeState([]), errors, 0);
      const more = oneMore(newJudgeState([]), errors, 1);
      expect(more.log_e).toBeGreaterThanOrEqual(fewer.log_e - 1e-9);
      const outcomes = [fewer, more].map((state) => judge(state, settings).outcome);
      expect(outcomes).not.toEqual(["fail", "pass"]);
    }),
    { seed: 23 },
  );
});

test("the sides are not interchangeable: a baseline that fails more is no evidence against the candidate", () => {
  fc.assert(
    fc.property(count, count, (candidate, baseline) => {
      const state = look(
        look(newJudgeState([]), candidate, baseline),
        sum(candidate, candidate),
        sum(baseline, baseline),
      );
      const swapped = look(
        look(newJudgeState([]), baseline, candidate),
        sum(baseline, baseline),
        sum(candidate, candidate),
      );
      expect(Math.min(state.log_e, swapped.log_e)).toBeLessThanOrEqual(0);
    }),
    { seed: 29 },
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
