import fc from "fast-check";
import { expect, test } from "vitest";
import type { JudgeState } from "../../../src/agents/model_deployer/domain/evidence/judgement.ts";
import { evidenceOf } from "../../../src/agents/model_deployer/judge/comparison.ts";
import { observe } from "../../../src/agents/model_deployer/judge/observe.ts";
import { judge } from "../../../src/agents/model_deployer/judge/verdict.ts";
import { randomFrom } from "../../../bench/judge/random.ts";
import { begun, type Count, failedOf, goOn, look, settings, sharing, sides } from "./looks.ts";

const count = fc
  .integer({ min: 0, max: 500 })
  .chain((n) => fc.tuple(fc.integer({ min: 0, max: n }), fc.constant(n)));
const sum = (a: Count, b: Count): Count => [a[0] + b[0], a[1] + b[1]];

test("the same look twice changes nothing", () => {
  fc.assert(
    fc.property(count, count, count, count, (candidate, baseline, moreCandidate, moreBaseline) => {
      const first = look(begun(), candidate, baseline);
      const once = look(first, sum(candidate, moreCandidate), sum(baseline, moreBaseline));
      expect(observe(once, once.last_figures, sides, sharing, settings)).toEqual(once);
    }),
    { seed: 13 },
  );
});

test("evidence only grows with the candidate's failures: the same looks with one more never turn fail into pass", () => {
  const looks = fc.array(
    fc.record({ candidate: fc.integer({ min: 0, max: 9 }), baseline: fc.integer({ min: 0, max: 20 }) }),
    { minLength: 2, maxLength: 12 },
  );
  fc.assert(
    fc.property(looks, (errors) => {
      const after = (extra: number) =>
        goOn(begun(), errors.length, (index) => {
          const { candidate = 0, baseline = 0 } = errors[index] ?? {};
          return { candidate: candidate + (index === errors.length - 1 ? extra : 0), baseline };
        });
      const [fewer, more] = [after(0), after(1)];
      expect(evidenceOf(more).errors).toBeGreaterThanOrEqual(evidenceOf(fewer).errors - 1e-9);
      expect([fewer, more].map((state) => judge(state, settings).outcome)).not.toEqual(["fail", "pass"]);
    }),
    { seed: 23 },
  );
});

/** How often the candidate was failed in so many runs, and the mean e-value at their end. */
function simulate(
  runs: number,
  looks: number,
  rateOf: (look: number) => { candidate: number; baseline: number },
) {
  const ends = Array.from({ length: runs }, (_, run) => {
    const random = randomFrom(1000 + run);
    let state: JudgeState = begun();
    let failed = false;
    for (let index = 0; index < looks; index += 1) {
      const { candidate, baseline } = rateOf(index);
      const errors = { candidate: failedOf(random, 10, candidate), baseline: failedOf(random, 90, baseline) };
      state = goOn(state, 1, () => errors);
      failed ||= judge(state, settings).outcome === "fail";
    }
    return { failed, e: Math.exp(evidenceOf(state).errors) };
  });
  const share = ends.filter(({ failed }) => failed).length / runs;
  return { share, mean: ends.reduce((all, { e }) => all + e, 0) / runs };
}

test.each([
  ["both fail 5 %", () => 0.05],
  ["both fail 40 %", () => 0.4],
  ["all fails for 5 of 15 looks", (index: number) => (index % 15 < 5 ? 1 : 0.01)],
  ["the rate rises from 1 to 30 %", (index: number) => 0.01 * (1 + index)],
])(
  "nobody is worse, and %s: false alarms stay under alpha, and the e-value is 1 at most on average",
  (_, rateOf) => {
    const { share, mean } = simulate(400, 30, (index) => ({
      candidate: rateOf(index),
      baseline: rateOf(index),
    }));
    expect(share).toBeLessThanOrEqual(settings.alpha);
    expect(mean).toBeLessThan(1.3);
  },
);

test("a candidate that fails half of its answers is always found", () => {
  const { share } = simulate(100, 10, () => ({ candidate: 0.5, baseline: 0.01 }));
  expect(share).toBe(1);
});

test("one that fails all of them in an outage in which half fails anyway is found too", () => {
  const { share } = simulate(100, 20, () => ({ candidate: 1, baseline: 0.5 }));
  expect(share).toBe(1);
});
