import { expect, test } from "vitest";
import { unmetProductionCriteria } from "../../../src/agents/model_deployer/actions/promote/production_gate.ts";
import {
  compare,
  describeComparison,
  storablePrediction,
  leaning,
} from "../../../src/agents/model_deployer/judge/evidence/shadow_pairs.ts";
import {
  nothingCompared,
  type Pair,
  shadowComparisonSchema,
} from "../../../src/agents/model_deployer/domain/evidence/shadow_comparison.ts";
import {
  anExperiment,
  aPolicy,
  aVersion,
  someEvidence,
  NO_ENTRIES,
} from "../../support/given/given_facts.ts";

const pair = (
  shadow: unknown,
  production: unknown,
  scores: [number | null, number | null] = [null, null],
): Pair => ({
  shadow: { prediction: shadow, score: scores[0] },
  production: { prediction: production, score: scores[1] },
});
const disagreementsOf = (...pairs: Pair[]) => compare(nothingCompared, pairs).disagreements;

test.each<[string, unknown, unknown, number]>([
  ["the same label", "yes", "yes", 0],
  ["another label", "yes", "no", 1],
  ["whole numbers are labels", 1000, 1001, 1],
  ["a number within 1 %", 100.5, 101.4, 0],
  ["a number over 1 % apart", 100.5, 102, 1],
  ["the same list", [1, "a"], [1, "a"], 0],
  ["a list that differs in one place", [1, 2], [1, 3], 1],
  ["a list of another length", [1], [1, 2], 1],
  ["nothing beside something", null, 1, 1],
  ["the same object", { a: 1 }, { a: 1 }, 0],
])("%s", (_what, shadow, production, disagreements) => {
  expect(disagreementsOf(pair(shadow, production))).toBe(disagreements);
});

test("scores are compared where both sides have one", () => {
  const found = compare(nothingCompared, [
    pair(1, 1, [0.9, 0.5]),
    pair(1, 1, [0.4, 0.5]),
    pair(1, 0, [0.5, 0.5]),
    pair(1, 1, [null, 0.5]),
  ]);
  expect(found).toMatchObject({ pairs: 4, disagreements: 1, scored: 3, higher: 1, lower: 1 });
  expect(found.sum_difference).toBeCloseTo(0.3, 12);
  expect(found.sum_absolute_difference).toBeCloseTo(0.5, 12);
  expect(describeComparison(found)).toContain(
    "disagreed in 1 of 4 pairs (25.00 %), their scores by 0.1000 on average",
  );
});

test("scores too far apart for a sum count as pairs without a score", () => {
  const found = compare(nothingCompared, [pair(1, 1, [1.7e308, -1.7e308]), pair(1, 1, [0.5, 0.25])]);
  expect(found).toMatchObject({ pairs: 2, scored: 1, sum_difference: 0.25, sum_absolute_difference: 0.25 });
  expect(shadowComparisonSchema.safeParse(found).success).toBe(true);
});

test.each<[string, string]>([
  ["a\0b", "a\ufffdb"],
  ["\ud800 alone", "\ufffd alone"],
  ["\ud83d\ude00", "\ud83d\ude00"],
  ["\\u0000 and \\ud800 spelt out", "\\u0000 and \\ud800 spelt out"],
])("%j is kept as %j", (text, kept) => {
  expect(storablePrediction({ [text]: [text] })).toEqual({ [kept]: [kept] });
});

test("scores that lean to one side are evidence at any number of looks, and those that do not are none", () => {
  const scored = (higher: number, lower: number) => leaning({ ...nothingCompared, higher, lower });
  expect(scored(0, 0)).toBeCloseTo(1, 12);
  expect(scored(30, 30)).toBeLessThan(1);
  expect(scored(60, 20)).toBeGreaterThan(100);
  expect(scored(20, 60)).toBeCloseTo(scored(60, 20), 6);
});

const gate = (maximum_shadow_disagreement: number | null, comparison = nothingCompared) =>
  unmetProductionCriteria({
    version: aVersion(2),
    experiment: anExperiment(),
    policy: aPolicy({ maximum_shadow_disagreement }),
    shadow: someEvidence({ comparison }),
    vulnerabilities: NO_ENTRIES,
    production: null,
  });
const compared = (pairs: number, disagreements: number) => ({ ...nothingCompared, pairs, disagreements });

test("the gate reads the disagreement where the policy asks for agreement, and only there", () => {
  expect(gate(null, compared(1000, 1000))).toEqual([]);
  expect(gate(0.05, compared(1000, 50))).toEqual([]);
  expect(gate(0.05, compared(1000, 51))).toMatchObject([
    {
      criterion: "shadow_disagreement",
      required: "at most 0.05 of at least 100 pairs",
      observed: "51 of 1000",
    },
  ]);
});

test("too few pairs are no agreement", () => {
  expect(gate(0.05, compared(99, 0))).toHaveLength(1);
  expect(gate(0.05)[0]?.sentence).toContain("disagreed in 0 of 0 pairs");
});
