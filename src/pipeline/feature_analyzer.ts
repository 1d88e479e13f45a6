import { z } from "zod";
import { type AgentRun, type AgentUpdate, BaseAgent } from "../agents/base/base_agent.ts";
import { featureImportancesSchema } from "./pipeline_state.ts";
import { traced } from "./traced.ts";

interface AnalyzerInput {
  experiment_id: unknown;
  model_version: unknown;
  feature_importances: unknown;
  /** An analysis that somebody else has made already. */
  shap_analysis: unknown;
}

export interface ShapAnalysis {
  experiment_id: string;
  model_version: string;
  feature_importance: { feature: string; importance: number; rank: number }[];
  interactions: never[];
  samples_analyzed: number;
  computation_time_seconds: number;
}

export interface FeatureAnalysis extends AgentUpdate {
  shap_analysis?: ShapAnalysis | null;
  top_features?: string[];
  top_interactions?: never[];
  explainer_type?: string | null;
  shap_skipped: boolean;
  warnings: string[];
}

const TOP_FEATURES = 5;

/**
 * Ranks given feature importances into a SHAP analysis. What it cannot use it leaves out with a warning, for the
 * pipeline goes on without SHAP.
 */
export class FeatureAnalyzerAgent extends BaseAgent<AnalyzerInput, FeatureAnalysis> {
  readonly agent_name = "feature_analyzer";
  readonly tier = 0;
  readonly tier_name = "ml_foundation";
  readonly agent_type = "standard";
  readonly sla_seconds = 10;

  protected pick(state: Record<string, unknown>): AnalyzerInput {
    const { experiment_id, feature_importances, shap_analysis } = state;
    const model_version =
      state["mlflow_model_version"] ?? state["mlflow_run_id"] ?? state["model_version_id"];
    return { experiment_id, model_version, feature_importances, shap_analysis };
  }

  protected run(input: AnalyzerInput, run: AgentRun): Promise<FeatureAnalysis> {
    return traced("rank_features", run, async () => analyze(input));
  }
}

const nameSchema = z.coerce.string().default("unknown");

function analyze({
  experiment_id,
  model_version,
  feature_importances,
  shap_analysis,
}: AnalyzerInput): FeatureAnalysis {
  const started = performance.now();
  if (feature_importances === undefined || feature_importances === null) {
    const isGiven = shap_analysis !== undefined && shap_analysis !== null;
    return isGiven ? { status: "in_progress", shap_skipped: false, warnings: [] } : skipped([]);
  }
  const parsed = featureImportancesSchema.safeParse(feature_importances);
  if (!parsed.success) {
    return skipped([
      `feature_analyzer left SHAP out: feature_importances is not usable: ${z.prettifyError(parsed.error)}`,
    ]);
  }
  const feature_importance = Object.entries(parsed.data.importance)
    .toSorted(([, a], [, b]) => b - a)
    .map(([feature, importance], index) => ({ feature, importance, rank: index + 1 }));
  return {
    status: "in_progress",
    shap_analysis: {
      experiment_id: nameSchema.parse(experiment_id),
      model_version: nameSchema.parse(model_version),
      feature_importance,
      interactions: [],
      samples_analyzed: parsed.data.samples_analyzed,
      computation_time_seconds: (performance.now() - started) / 1000,
    },
    top_features: feature_importance.slice(0, TOP_FEATURES).map(({ feature }) => feature),
    top_interactions: [],
    explainer_type: "given",
    shap_skipped: false,
    warnings: [],
  };
}

function skipped(warnings: string[]): FeatureAnalysis {
  return {
    status: "in_progress",
    shap_analysis: null,
    top_features: [],
    top_interactions: [],
    explainer_type: null,
    shap_skipped: true,
    warnings,
  };
}
