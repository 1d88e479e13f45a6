import { expect, test } from "vitest";
import type { Measure, Outcome } from "../../../src/agents/model_deployer/domain/evidence/late_outcomes.ts";
import { lossOf } from "../../../src/agents/model_deployer/judge/evidence/outcome_loss.ts";

test.each<[Measure, unknown, number | null, Outcome, number | null]>([
  ["accuracy", 1, null, true, 0],
  ["accuracy", [1], null, "1", 0],
  ["accuracy", [1, 0, 1], null, [1, 1, 1], 1 / 3],
  ["brier", 1, 0.75, 1, 0.0625],
  ["brier", 0.25, null, false, 0.0625],
  ["brier", 1.5, null, 1, 1],
  ["brier", 0.5, null, 0.5, null],
  ["log_loss", 0, 0.5, 0, Math.LN2],
  ["log_loss", 0, 1, 0, -Math.log(1e-4)],
  ["absolute_error", 12.5, null, 10, 2.5],
  ["accuracy", null, null, "yes", 1],
  ["accuracy", "true", null, true, 0],
  ["accuracy", "02139", null, 2139, 0],
  ["accuracy", "12345678901234567890", null, "12345678901234567891", 1],
  ["brier", null, null, 1, 1],
  ["brier", null, 1.5, 1, 1],
  ["log_loss", null, -0.1, 0, -Math.log(1e-4)],
  ["absolute_error", null, null, 10, null],
  ["absolute_error", "12.5", null, 10, null],
])("%s of %j, scored %j, where %j is true", (measure, prediction, score, outcome, loss) => {
  const found = lossOf({ prediction, score, has_failed: false }, outcome, measure);
  if (loss === null) expect(found).toBeNull();
  else expect(found).toBeCloseTo(loss, 12);
});

test("an answer that failed is wrong, and has no error as a number", () => {
  const failed = { prediction: null, score: null, has_failed: true };
  expect(lossOf(failed, "yes", "accuracy")).toBe(1);
  expect(lossOf(failed, 1, "brier")).toBe(1);
  expect(lossOf(failed, 1, "absolute_error")).toBeNull();
});
