import { expect, test } from "vitest";
import { type Stage, stageSchema } from "../../../src/agents/model_deployer/domain/entities.ts";
import { refusePromotionPath } from "../../../src/agents/model_deployer/domain/lifecycle.ts";

const stages = stageSchema.options;
const promotions = ["development>staging", "staging>shadow", "shadow>production", "production>archived"];
const pairs = stages.flatMap((from) => stages.map((to): [Stage, Stage] => [from, to]));

test("there are 25 pairs of stages", () => {
  expect(pairs).toHaveLength(25);
});

test.each(pairs)("from %s to %s", (from, to) => {
  const refusal = refusePromotionPath("mv_1", from, to);
  if (promotions.includes(`${from}>${to}`)) {
    expect(refusal).toBeNull();
    return;
  }
  expect(refusal?.code).toBe("invalid_promotion_path");
  expect(refusal?.sentence).toContain(`mv_1 from ${from} to ${to}`);
  expect(refusal?.unmet).toHaveLength(1);
});

test("a refusal says where the way goes on, or that it ends", () => {
  expect(refusePromotionPath("mv_1", "development", "production")?.sentence).toMatch(/next stage is staging/);
  expect(refusePromotionPath("mv_1", "archived", "staging")?.sentence).toMatch(/register the run as a new/);
});
