import fc from "fast-check";
import { expect, test } from "vitest";
import {
  featureShift,
  featureShiftNotes,
  rankBiasedOverlap,
} from "../../../src/agents/model_deployer/planning/comparisons/feature_shift.ts";
import { aVersion } from "../../support/given/given_facts.ts";

const withFeatures = (number: number, ...top_features: string[]) =>
  aVersion(number, { shap_evidence: { shap_analysis_id: null, top_features, samples_analyzed: 100 } });
const letters = fc.uniqueArray(fc.constantFrom(..."abcdefgh"), { maxLength: 5 });

test("the same ranking agrees wholly, another one not at all", () => {
  expect(rankBiasedOverlap(["a", "b", "c", "d", "e"], ["a", "b", "c", "d", "e"])).toBeCloseTo(1);
  expect(rankBiasedOverlap(["a", "b"], ["c", "d"])).toBe(0);
  expect(rankBiasedOverlap([], ["a"])).toBe(0);
});

test.each([
  // By hand, from the formula with p = 0.8.
  ["the first two changed places", ["b", "a", "c", "d", "e"], 0.8],
  ["the last one is new", ["a", "b", "c", "d", "x"], 0.918_08],
  ["the first one is new", ["x", "a", "b", "c", "d"], 0.571_413_333],
  ["all in the opposite order", ["e", "d", "c", "b", "a"], 0.529_066_667],
])("%s", (_, other, expected) => {
  expect(rankBiasedOverlap(["a", "b", "c", "d", "e"], other)).toBeCloseTo(expected);
});

test("it lies between 0 and 1 and does not mind which one comes first", () => {
  fc.assert(
    fc.property(letters, letters, (one, other) => {
      const overlap = rankBiasedOverlap(one, other);
      expect(overlap).toBeGreaterThanOrEqual(0);
      expect(overlap).toBeLessThanOrEqual(1 + 1e-12);
      expect(rankBiasedOverlap(other, one)).toBeCloseTo(overlap);
    }),
  );
});

test("a large shift names both rankings and the number", () => {
  const shift = featureShift(
    withFeatures(2, "x", "y", "a", "b", "c"),
    withFeatures(1, "a", "b", "c", "d", "e"),
  );
  expect(shift).toMatchObject({ is_large: true, production_model_version_id: "mv_1" });
  expect(featureShiftNotes(shift)).toEqual([
    expect.stringMatching(
      /mv_1 at production: x, y, a, b, c against a, b, c, d, e .*overlap 0\.34, below 0\.5/,
    ),
  ]);
});

test("a small shift is no news", () => {
  const shift = featureShift(withFeatures(2, "b", "a", "c"), withFeatures(1, "a", "b", "c"));
  expect(shift).toMatchObject({ is_large: false });
  expect(featureShiftNotes(shift)).toEqual([]);
});

test("there is nothing to compare without another version at production, or without SHAP", () => {
  const version = withFeatures(2, "a");
  expect(featureShift(version, null)).toBeNull();
  expect(featureShift(version, version)).toBeNull();
  expect(featureShift(version, aVersion(1))).toBeNull();
  expect(featureShift(aVersion(2), withFeatures(1, "a"))).toBeNull();
  expect(featureShift(withFeatures(2), withFeatures(1, "a"))).toBeNull();
  expect(featureShiftNotes(null)).toEqual([]);
});
