import pc from "picocolors";
import { expect, test } from "vitest";
import type { Stage } from "../../../../src/agents/model_deployer/domain/entities.ts";
import { applyLines } from "../../../../src/cli/output/views/apply_view.ts";

function nextAfter(previous_stage: Stage, current_stage: Stage): string | undefined {
  const record = {
    ...{ model_version_id: "mv_1", model_name: "remission", version: 1, previous_stage, current_stage },
    ...{ metrics_at_promotion: {}, promoted_by: "ana", promoted_at: "2026-01-01T00:00:00Z" },
    promotion_reason: "a test",
  };
  const answer = {
    ...{ status: "completed" as const, operation_id: "op_1", seconds: 1, version_record: record },
    ...{ deployment_manifest: null, model_version_id: "mv_1", rollback_successful: null },
    ...{ active_deployment_id: null, notes: [], warnings: [], degraded: [] },
  };
  return applyLines(answer, pc.createColors(false), 80).find((line) => line.startsWith("next"));
}

test.each([
  ["development", "development", "model-deployer apply promote mv_1 staging"],
  ["development", "staging", "model-deployer apply deploy mv_1 staging"],
  ["shadow", "production", "model-deployer apply deploy mv_1 production"],
] as const)("a version that has moved from %s to %s is said to go on by %s", (from, to, command) => {
  expect(nextAfter(from, to)).toContain(command);
});

test("a version that was archived, or has not moved, goes nowhere from there", () => {
  expect(nextAfter("production", "archived")).toBeUndefined();
  expect(nextAfter("production", "production")).toBeUndefined();
});
