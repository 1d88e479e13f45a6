import { expect, test } from "vitest";
import { shadowWorseByAtMost } from "../../../src/agents/model_deployer/judge/evidence/shadow_bound.ts";
import { randomFrom } from "../../../bench/judge/random.ts";

const bound = (requests: number, errors: number, production_errors = 0) =>
  shadowWorseByAtMost({ requests, errors, production_errors }, 0.01);

test("nothing is known without answers, and ever more the more there are", () => {
  expect(bound(0, 0)).toBeNull();
  expect(bound(10, 10)).toBeNull();
  const known = [50, 200, 1000, 10_000].map((requests) => bound(requests, 0) ?? 1);
  expect(known).toEqual(known.toSorted((a, b) => b - a));
  expect(known.at(-1)).toBeLessThan(0.001);
});

test("failures that production has as well are not the shadow's", () => {
  expect(bound(10_000, 2000)).toBeGreaterThan(0.19);
  expect(bound(10_000, 2000, 2000)).toBeLessThan(0.1);
  expect(bound(10_000, 10_000, 10_000)).toBeNull();
});

test("the bound by one request without failure is the one of its formula", () => {
  // At w = 0.5 the stakes 0.1, 0.4, 1, 1.8 give (1.05 + 1.2 + 1.5 + 1.9) / 4 = 1.4125.
  expect(shadowWorseByAtMost({ requests: 1, errors: 0, production_errors: 0 }, 1 / 1.4125)).toBeCloseTo(0.5);
});

test("a shadow that is worse by 5 % has a bound below that in at most 1 % of all runs, at any of their looks", () => {
  const random = randomFrom(7);
  const runs = 400;
  let wrong = 0;
  for (let run = 0; run < runs; run += 1) {
    const seen = { requests: 0, errors: 0, production_errors: 0 };
    let isWrong = false;
    for (let look = 0; look < 30; look += 1) {
      for (let request = 0; request < 50; request += 1) {
        const isShared = random() < 0.2;
        seen.requests += 1;
        seen.production_errors += isShared ? 1 : 0;
        seen.errors += isShared || random() < 0.05 ? 1 : 0;
      }
      isWrong ||= (shadowWorseByAtMost(seen, 0.01) ?? 1) < 0.05;
    }
    wrong += isWrong ? 1 : 0;
  }
  expect(wrong / runs).toBeLessThanOrEqual(0.02);
});
