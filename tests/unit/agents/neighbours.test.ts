import { expect, test } from "vitest";
import { AgentError } from "../../../src/agents/base/agent_error.ts";
import { validateRequest } from "../../../src/agents/model_deployer/nodes/validate_request.ts";

const register = { deployment_action: "register", experiment_id: "remission", mlflow_run_id: "abc123" };
const rollback = { deployment_action: "rollback", current_deployment_id: "d1", rollback_reason: "bad" };

function refusalOf(state: Record<string, unknown>): AgentError {
  try {
    validateRequest(state);
  } catch (error) {
    if (error instanceof AgentError) return error;
    throw error;
  }
  return expect.fail(`it was accepted: ${JSON.stringify(state).slice(0, 200)}`);
}

test("feature_analyzer's SHAP becomes evidence: ranked, at most five, or none where it was left out", () => {
  const feature = (rank: number) => ({ feature: `f${rank}`, importance: 1 / rank, rank });
  const shap_analysis = {
    experiment_id: "remission",
    model_version: "v1",
    feature_importance: [6, 3, 1, 2, 5, 4].map(feature),
    samples_analyzed: 100,
  };
  expect(validateRequest({ ...register, shap_analysis }).action_request).toMatchObject({
    shap_evidence: {
      shap_analysis_id: null,
      top_features: ["f1", "f2", "f3", "f4", "f5"],
      samples_analyzed: 100,
    },
  });
  const skipped = validateRequest({ ...register, shap_analysis: null, shap_skipped: true }).action_request;
  expect(skipped).toMatchObject({ shap_evidence: null });
});

test.each([
  ["nothing", {}],
  ["nulls", { shap_analysis: null, top_features: null, explainer_type: null }],
  ["an empty analysis", { shap_analysis: { feature_importance: [], samples_analyzed: 0 }, top_features: [] }],
  ["an analysis that was skipped after all", { shap_skipped: true, top_features: ["age"] }],
])("a registration with %s from feature_analyzer goes on without evidence", (_, given) => {
  expect(validateRequest({ ...register, ...given }).action_request).toMatchObject({ shap_evidence: null });
});

test("top features count without their analysis", () => {
  expect(validateRequest({ ...register, top_features: ["age", "dose"] }).action_request).toMatchObject({
    shap_evidence: { shap_analysis_id: null, top_features: ["age", "dose"], samples_analyzed: 0 },
  });
});

test("what the neighbours really hand over is taken whole", () => {
  const analyzer = {
    shap_analysis: {
      experiment_id: "remission",
      model_version: "3",
      shap_analysis_id: "shap_1",
      feature_importance: [{ feature: "age", importance: 0.7, rank: 1 }],
      interactions: [{ features: ["age", "dose"], interaction_strength: 0.1, interpretation: "weak" }],
      samples_analyzed: 1000,
      computation_time_seconds: 12.5,
    },
    top_features: ["age"],
    top_interactions: [{ features: ["age", "dose"], interaction_strength: 0.1, interpretation: "weak" }],
    explainer_type: "TreeExplainer",
    shap_skipped: false,
  };
  const trainer = {
    model_artifact_uri: "runs:/abc123/model",
    preprocessing_artifact_uri: null,
    mlflow_model_name: "remission",
    mlflow_model_version: "3",
    train_metrics: { roc_auc: 0.95 },
    validation_metrics: { roc_auc: 0.9 },
    test_metrics: { roc_auc: 0.89 },
    auc_roc: 0.89,
    success_criteria_met: true,
  };
  expect(validateRequest({ ...register, ...analyzer, ...trainer }).action_request).toMatchObject({
    mlflow_model_version: 3,
    shap_evidence: { shap_analysis_id: "shap_1", top_features: ["age"], samples_analyzed: 1000 },
  });
});

test("what a neighbour got wrong is named where it is read, and holds up no other action", () => {
  const wrong = { shap_analysis: { feature_importance: "much" }, auc_roc: Number.NaN };
  expect(refusalOf({ ...register, ...wrong }).message).toMatch(
    /shap_analysis\.feature_importance: .*auc_roc: .*\(given NaN\)/,
  );
  expect(validateRequest({ ...rollback, ...wrong }).action_request.action).toBe("rollback");
});
