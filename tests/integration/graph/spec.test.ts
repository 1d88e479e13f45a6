import { expect, test } from "vitest";
import {
  InvalidPromotionPathError,
  ProductionCriteriaNotMetError,
} from "../../../src/agents/model_deployer/errors.ts";
import {
  deployAtOnce,
  givenDeployer,
  givenInProduction,
  givenReadyForProduction,
  promoteWithApproval,
  register,
} from "../../support/given_deployer.ts";

test("test_promotion_path_validation", async () => {
  const given = await givenDeployer();
  const state = {
    deployment_action: "promote",
    model_version_id: await register(given, "run1"),
    current_stage: "development" as const,
    target_stage: "production" as const,
  };
  await expect(given.agent.execute(state)).rejects.toThrow(InvalidPromotionPathError);
});

test("test_production_criteria_check", async () => {
  const given = await givenDeployer();
  given.registry.addRun({
    run_id: "lowauc",
    metrics: { test_auc: 0.55 },
    models: { model: { "model.bin": "weak" } },
  });
  const state = {
    deployment_action: "promote",
    model_version_id: await givenReadyForProduction(given, "lowauc"),
    target_stage: "production" as const,
  };
  const refused = given.agent.execute(state);
  await expect(refused).rejects.toThrow(ProductionCriteriaNotMetError);
  await expect(refused).rejects.toThrow("test_auc is 0.55 and must be at least 0.8");
});

test("test_rollback", async () => {
  const given = await givenDeployer();
  await givenInProduction(given, "run1");
  const second = await givenReadyForProduction(given, "run2");
  await promoteWithApproval(given, second);
  const { deployment_id } = await deployAtOnce(given, second);
  const state = {
    deployment_action: "rollback",
    current_deployment_id: deployment_id,
    rollback_reason: "predictions drift",
  };
  const result = await given.agent.execute(state);
  expect(result.rollback_successful).toBe(true);
  expect(result.active_deployment_id).not.toBeNull();
  expect(result.active_deployment_id).not.toBe(state.current_deployment_id);
});
