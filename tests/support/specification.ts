import { expect, test } from "vitest";
import {
  InvalidPromotionPathError,
  ProductionCriteriaNotMetError,
} from "../../src/agents/model_deployer/errors.ts";
import {
  deployAtOnce,
  type DeployerUnderTest,
  inProduction,
  promoteState,
  promoteWithApproval,
  readyForProduction,
  register,
  rollbackState,
} from "../../src/testing/index.ts";
import type { StoryTeller } from "./given/given_story.ts";

/** The three tests that the specification names. */
export function describeSpecification(open: () => Promise<DeployerUnderTest & StoryTeller>): void {
  test("test_promotion_path_validation", async () => {
    const given = await open();
    const state = promoteState({
      model_version_id: await register(given, "run1"),
      current_stage: "development",
      target_stage: "production",
    });
    await expect(given.agent.execute(state)).rejects.toThrow(InvalidPromotionPathError);
  });

  test("test_production_criteria_check", async () => {
    const given = await open();
    given.registry.addRun({
      run_id: "lowauc",
      metrics: { test_auc: 0.55 },
      models: { model: { "model.bin": "weak" } },
    });
    const state = promoteState({
      model_version_id: await readyForProduction(given, "lowauc"),
      target_stage: "production",
    });
    const refused = given.agent.execute(state);
    await expect(refused).rejects.toThrow(ProductionCriteriaNotMetError);
    await expect(refused).rejects.toThrow("test_auc is 0.55 and must be at least 0.8");
  });

  test("test_rollback", async () => {
    const given = await open();
    await inProduction(given, "run1");
    const second = await readyForProduction(given, "run2");
    await promoteWithApproval(given, second);
    const { deployment_id } = await deployAtOnce(given, second);
    const state = rollbackState({ current_deployment_id: deployment_id });
    const result = await given.agent.execute(state);
    expect(result.rollback_successful).toBe(true);
    expect(result.active_deployment_id).not.toBeNull();
    expect(result.active_deployment_id).not.toBe(state.current_deployment_id);
  });
}
