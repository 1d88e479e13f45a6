import type { ModelVersion } from "../../domain/entities.ts";

/** How the most important features of two versions of one experiment compare. */
export interface FeatureShift {
  /** By rank, the most important first. */
  top_features: string[];
  production_model_version_id: string;
  production_top_features: string[];
  /** Rank-biased overlap: 1 for the same features in the same order, 0 for nothing in common. */
  agreement: number;
  is_large: boolean;
}

/** With it the first five ranks make up 86 % of the measure (equation 21 of the paper below). */
const PERSISTENCE = 0.8;
/** By convention: below it, less than half of one version's important features are important to the other. */
const LARGE_BELOW = 0.5;

/**
 * Extrapolated rank-biased overlap of two rankings without ties, down to the depth that both have; 0 to 1.
 * Source: Webber, Moffat, Zobel, "A similarity measure for indefinite rankings", ACM TOIS 28(4), 2010, equation 30.
 */
export function rankBiasedOverlap(one: readonly string[], other: readonly string[]): number {
  const depth = Math.min(one.length, other.length);
  if (depth === 0) return 0;
  let sum = 0;
  let agreement = 0;
  for (let reached = 1; reached <= depth; reached += 1) {
    const seen = new Set(one.slice(0, reached));
    agreement = other.slice(0, reached).filter((feature) => seen.has(feature)).length / reached;
    sum += agreement * PERSISTENCE ** reached;
  }
  return agreement * PERSISTENCE ** depth + ((1 - PERSISTENCE) / PERSISTENCE) * sum;
}

type WithEvidence = Pick<ModelVersion, "model_version_id" | "shap_evidence">;

/** Null where there is nothing to compare: no version at production, the same one, or one that SHAP was left out for. */
export function featureShift(version: WithEvidence, production: WithEvidence | null): FeatureShift | null {
  if (production === null || production.model_version_id === version.model_version_id) return null;
  const own = unique(version.shap_evidence?.top_features ?? []);
  const served = unique(production.shap_evidence?.top_features ?? []);
  if (own.length === 0 || served.length === 0) return null;
  const agreement = rankBiasedOverlap(own, served);
  return {
    top_features: own,
    production_model_version_id: production.model_version_id,
    production_top_features: served,
    agreement,
    is_large: agreement < LARGE_BELOW,
  };
}

/** A sentence about a large shift; it stops nothing, for a better model may well look elsewhere. */
export function featureShiftNotes(shift: FeatureShift | null): string[] {
  if (shift === null || !shift.is_large) return [];
  const { top_features, production_top_features, production_model_version_id: served, agreement } = shift;
  return [
    `Its most important features are not those of ${served} at production: ${top_features.join(", ")} against ${production_top_features.join(", ")} (rank-biased overlap ${agreement.toFixed(2)}, below ${LARGE_BELOW}).`,
  ];
}

function unique(features: readonly string[]): string[] {
  return [...new Set(features)];
}
