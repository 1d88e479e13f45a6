import { expect, test } from "vitest";
import { validateRequest } from "../../../src/agents/model_deployer/nodes/validate_request.ts";
import {
  advanceState,
  afterFeatureAnalyzer,
  afterSkippedAnalysis,
  afterTrainer,
  deployState,
  pipelineIds,
  promoteState,
  registerState,
  rollbackState,
} from "../../../src/testing/index.ts";

test.each([registerState(), promoteState(), deployState(), rollbackState(), advanceState()])(
  "the state for $deployment_action is valid as it is",
  (state) => {
    expect(validateRequest({ ...state }).action_request.action).toBe(state.deployment_action);
  },
);

test.each([
  ["analysed", afterFeatureAnalyzer(["age", "dose"]), { top_features: ["age", "dose"] }],
  ["skipped", afterSkippedAnalysis(), null],
  ["absent", {}, null],
])("SHAP may be %s", (_what, analysis, evidence) => {
  const state = { ...registerState({ ...analysis, ...afterTrainer("run7"), ...pipelineIds }) };
  const { action_request } = validateRequest(state);
  expect(action_request).toMatchObject({ mlflow_run_id: "run7", shap_evidence: evidence });
});
