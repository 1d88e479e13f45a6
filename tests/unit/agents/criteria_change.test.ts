import { expect, test } from "vitest";
import { criteriaChangeText } from "../../../src/agents/model_deployer/planning/wording/criteria_change.ts";

test("a change of criteria is told with each bound before and after it", () => {
  const from = [{ metric: "auc", bound: 0.8, direction: "at_least" }];
  const to = [...from, { metric: "rmse", bound: 0.3, direction: "at_most" }];
  expect(criteriaChangeText({ from, to })).toBe("auc >= 0.8 → auc >= 0.8, rmse <= 0.3");
  expect(criteriaChangeText({ from: [], to: [] })).toBe("none → none");
});

test("evidence of something else is no change of criteria", () => {
  expect(criteriaChangeText({ verdict: null })).toBeNull();
});
