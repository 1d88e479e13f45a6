import { logMixtureEvidence } from "../../../src/agents/model_deployer/judge/statistics/bernoulli_evidence.ts";
import fc from "fast-check";
import { expect, test } from "vitest";
import { stakeAt } from "../../../src/agents/model_deployer/judge/statistics/experts.ts";
import { logDrawEvidence } from "../../../src/agents/model_deployer/judge/statistics/random_draw.ts";
import { highestRate } from "../../../src/agents/model_deployer/judge/statistics/highest_rate.ts";
import { exclude, nothingExcluded, WORSE_BY } from "../../../src/agents/model_deployer/judge/worse_by.ts";
import { noAnswers } from "../../../src/agents/model_deployer/domain/evidence/figures.ts";
import { golden } from "./golden/read_golden.ts";

test.each(golden.draws)(
  "$marked of $drawn where $all_marked of $all are marked, at odds of $odds",
  (given) => {
    const { all, all_marked: allMarked, drawn, marked, odds, log_e } = given;
    expect(logDrawEvidence({ all, allMarked, drawn, marked }, odds)).toBeCloseTo(log_e, 8);
  },
);

test.each(golden.mixtures)("$successes of $trials against $rate", ({ successes, trials, rate, log_e }) => {
  expect(logMixtureEvidence(successes, trials, rate)).toBeCloseTo(log_e, 8);
});

test.each(golden.rates)(
  "the highest rate after $errors of $requests",
  ({ errors, requests, alpha, rate }) => {
    expect(highestRate({ errors, requests }, alpha)).toBeCloseTo(rate, 10);
  },
);

const choose = (n: number, k: number): number => (k === 0 ? 1 : (choose(n - 1, k - 1) * n) / k);
const binomial = (n: number, k: number, p: number) => choose(n, k) * p ** k * (1 - p) ** (n - k);
const size = fc.integer({ min: 1, max: 12 });
const probability = fc.double({ min: 0.001, max: 0.999, noNaN: true });
const odds = fc.double({ min: 1.1, max: 1e6, noNaN: true });

/** Sums over all outcomes of `n` answers of the candidate and `m` of the baseline. */
function expected(n: number, m: number, p: number, q: number, of: (i: number, j: number) => number): number {
  let sum = 0;
  for (let i = 0; i <= n; i += 1)
    for (let j = 0; j <= m; j += 1) sum += binomial(n, i, p) * binomial(m, j, q) * of(i, j);
  return sum;
}

test("the expected evidence is 1 for every common rate, and at most 1 where the candidate is better, exactly summed", () => {
  fc.assert(
    fc.property(
      size,
      size,
      probability,
      fc.double({ min: 0, max: 1, noNaN: true }),
      odds,
      (n, m, p, better, ratio) => {
        const factor = (i: number, j: number) =>
          Math.exp(logDrawEvidence({ all: n + m, allMarked: i + j, drawn: n, marked: i }, ratio));
        expect(expected(n, m, p, p, factor)).toBeCloseTo(1, 9);
        expect(expected(n, m, p * better, p, factor)).toBeLessThanOrEqual(1 + 1e-9);
      },
    ),
    { numRuns: 300, seed: 11 },
  );
});

test("an answer more that is marked is never weaker evidence", () => {
  fc.assert(
    fc.property(size, size, size, odds, (drawn, others, marked, ratio) => {
      const allMarked = Math.min(marked, drawn + others);
      const [least, most] = [Math.max(0, allMarked - others), Math.min(drawn, allMarked)];
      const factors = Array.from({ length: most - least + 1 }, (_, more) =>
        logDrawEvidence({ all: drawn + others, allMarked, drawn, marked: least + more }, ratio),
      );
      expect(factors).toEqual(factors.toSorted((a, b) => a - b));
    }),
    { seed: 19 },
  );
});

test("the expected evidence against being worse is at most 1 for every point of that hypothesis, exactly summed", () => {
  const points = fc.tuple(size, size, probability, fc.double({ min: 0, max: 1, noNaN: true }));
  const bets = fc.record({ candidate: probability, baseline: probability });
  fc.assert(
    fc.property(points, bets, fc.nat({ max: WORSE_BY.length - 1 }), ([n, m, q, further], likely, index) => {
      const least = q + (1 - q) * (WORSE_BY[index] ?? 0);
      const p = least + (1 - least) * further;
      const factor = (i: number, j: number) => {
        const block = { candidate: answersOf(n, i), baseline: answersOf(m, j) };
        const { wealth, unstaked } = exclude(nothingExcluded, block, likely, 0.01).bets;
        return unstaked + Math.exp(wealth[0]?.[index] ?? Number.NaN);
      };
      expect(expected(n, m, p, q, factor)).toBeLessThanOrEqual(1 + 1e-9);
    }),
    { numRuns: 300, seed: 17 },
  );
});

const answersOf = (requests: number, errors: number) => ({ ...noAnswers, requests, errors });

test("the stakes of all blocks sum to 1 at most", () => {
  let sum = 0;
  for (let block = 1; block <= 200_000; block += 1) sum += stakeAt(block);
  expect(sum).toBeLessThan(1);
  expect(sum).toBeGreaterThan(0.98);
});
