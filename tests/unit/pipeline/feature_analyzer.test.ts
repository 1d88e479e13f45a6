import { describe, expect, it } from "vitest";
import { validateRequest } from "../../../src/agents/model_deployer/nodes/validate_request.ts";
import { FeatureAnalyzerAgent } from "../../../src/pipeline/feature_analyzer.ts";

const importance = { age: 0.3, stage: 0.9, weight: 0.1, dose: 0.5, sex: 0.05, brand: 0.2 };
const analyze = new FeatureAnalyzerAgent().asNode();

describe("feature_analyzer", () => {
  it("ranks the importances and names the five largest", async () => {
    const update = await analyze(
      {
        experiment_id: "remission",
        mlflow_run_id: "run1",
        feature_importances: { importance, samples_analyzed: 40 },
      },
      {},
    );
    expect(update.shap_analysis).toMatchObject({
      experiment_id: "remission",
      model_version: "run1",
      samples_analyzed: 40,
    });
    expect(update.shap_analysis?.feature_importance.slice(0, 2)).toEqual([
      { feature: "stage", importance: 0.9, rank: 1 },
      { feature: "dose", importance: 0.5, rank: 2 },
    ]);
    expect(update.top_features).toEqual(["stage", "dose", "age", "brand", "weight"]);
    expect(update).toMatchObject({ shap_skipped: false, status: "in_progress" });
    expect(update.spans.map((span) => [span.agent_name, span.operation, span.status])).toEqual([
      ["feature_analyzer", "rank_features", "ok"],
    ]);
  });

  it("hands over what the deployer takes", async () => {
    const given = { experiment_id: "remission", mlflow_run_id: "run1", deployment_action: "register" };
    const update = await analyze({ ...given, feature_importances: { importance, samples_analyzed: 40 } }, {});
    const { shap_analysis, top_features, top_interactions, explainer_type, shap_skipped } = update;
    const state = { ...given, shap_analysis, top_features, top_interactions, explainer_type, shap_skipped };
    expect(validateRequest(state).action_request).toMatchObject({
      shap_evidence: {
        top_features: ["stage", "dose", "age", "brand", "weight"],
        samples_analyzed: 40,
      },
    });
  });

  it("goes on without SHAP where no importances are given", async () => {
    const update = await analyze({ experiment_id: "remission" }, {});
    expect(update).toMatchObject({ shap_skipped: true, shap_analysis: null, warnings: [] });
  });

  it("keeps an analysis that somebody else has made", async () => {
    const update = await analyze({ shap_analysis: { samples_analyzed: 3 } }, {});
    expect(update).toMatchObject({ shap_skipped: false });
    expect(update).not.toHaveProperty("shap_analysis");
  });

  it.each([
    [{ importance: { age: "much" }, samples_analyzed: 40 }],
    [{ importance: { age: -1 }, samples_analyzed: 40 }],
    [{ importance, samples_analyzed: 0 }],
    ["nothing of use"],
  ])("leaves SHAP out with a warning for %j, and fails nothing", async (feature_importances) => {
    const update = await analyze({ feature_importances }, {});
    expect(update).toMatchObject({ shap_skipped: true, shap_analysis: null, status: "in_progress" });
    expect(update.warnings).toEqual([expect.stringContaining("feature_importances is not usable")]);
  });
});
