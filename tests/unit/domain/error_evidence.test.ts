import fc from "fast-check";
import { expect, test } from "vitest";
import { logMixtureEvidence } from "../../../src/agents/model_deployer/domain/bernoulli_evidence.ts";
import {
  highestRate,
  logEFactor,
  logEFactorAlone,
} from "../../../src/agents/model_deployer/domain/error_evidence.ts";
import type { Tally } from "../../../src/agents/model_deployer/domain/rollout.ts";
import { golden } from "./golden/read_golden.ts";

/** Errors of requests. */
type Count = readonly [number, number];
const tally = ([errors, requests]: Count): Tally => ({ errors, requests });
const sides = ([candidate, baseline]: readonly [Count, Count]) => ({
  candidate: tally(candidate),
  baseline: tally(baseline),
});

test.each(golden.blocks)("one block after $past, of $block", ({ past, block, log_e }) => {
  expect(logEFactor(sides(past), sides(block))).toBeCloseTo(log_e, 10);
});

test.each(golden.mixtures)("$successes of $trials against $rate", ({ successes, trials, rate, log_e }) => {
  expect(logMixtureEvidence(successes, trials, rate)).toBeCloseTo(log_e, 8);
});

test.each(golden.rates)(
  "the highest rate behind $errors of $requests at $alpha",
  ({ errors, requests, alpha, rate }) => {
    expect(highestRate({ errors, requests }, alpha)).toBeCloseTo(rate, 10);
  },
);

test.each(golden.alone)("a candidate alone: $block after $past over $baseline", (given) => {
  const { baseline, past, block, alpha, floor, log_e } = given;
  const counts = { baseline: tally(baseline), past: tally(past), block: tally(block) };
  expect(logEFactorAlone({ ...counts, alpha, floor })).toBeCloseTo(log_e, 8);
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

const choose = (n: number, k: number): number => (k === 0 ? 1 : (choose(n - 1, k - 1) * n) / k);
const binomial = (n: number, k: number, p: number) => choose(n, k) * p ** k * (1 - p) ** (n - k);
const count = fc
  .integer({ min: 0, max: 500 })
  .chain((n) => fc.tuple(fc.integer({ min: 0, max: n }), fc.constant(n)));
const size = fc.integer({ min: 1, max: 12 });
const probability = fc.double({ min: 0.001, max: 0.999, noNaN: true });

test("the expected factor of a block is at most 1 for every common error rate, exactly summed", () => {
  fc.assert(
    fc.property(count, count, size, size, probability, (a, b, m, n, p) => {
      let expected = 0;
      for (let i = 0; i <= m; i += 1)
        for (let j = 0; j <= n; j += 1) {
          const block = sides([
            [i, m],
            [j, n],
          ]);
          expected += binomial(m, i, p) * binomial(n, j, p) * Math.exp(logEFactor(sides([a, b]), block));
        }
      expect(expected).toBeLessThanOrEqual(1 + 1e-9);
    }),
    { numRuns: 300, seed: 11 },
  );
});

test("alone, the expected factor is at most 1 for every rate up to the one that is allowed", () => {
  fc.assert(
    fc.property(count, count, size, probability, (baseline, past, m, share) => {
      const given = { baseline: tally(baseline), past: tally(past), alpha: 0.003, floor: 0.01 };
      const rate = share * Math.min(1, highestRate(given.baseline, 0.003) + 0.01);
      let expected = 0;
      for (let i = 0; i <= m; i += 1)
        expected += binomial(m, i, rate) * Math.exp(logEFactorAlone({ ...given, block: tally([i, m]) }));
      expect(expected).toBeLessThanOrEqual(1 + 1e-9);
    }),
    { numRuns: 300, seed: 17 },
  );
});

test("a failure more is never weaker evidence", () => {
  fc.assert(
    fc.property(count, count, size, size, (past, pastBaseline, m, n) => {
      const factors = Array.from({ length: m + 1 }, (_, errors) =>
        logEFactor(
          sides([past, pastBaseline]),
          sides([
            [errors, m],
            [0, n],
          ]),
        ),
      );
      expect(factors).toEqual(factors.toSorted((a, b) => a - b));
    }),
    { seed: 19 },
  );
});
