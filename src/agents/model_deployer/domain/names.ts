import type { ModelVersion, ServedStage } from "./entities.ts";

/** Lower case, digits and underscores, so that it fits a bento's name, an endpoint's and a file's. */
export function slug(text: string): string {
  const cleaned = text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "_")
    .replace(/^_+|_+$/g, "");
  return cleaned.startsWith("e2i_") ? cleaned.slice("e2i_".length) : cleaned;
}

/** The name that callers of an experiment's model use; staging has one of its own. */
export function endpointName(experimentId: string, stage: ServedStage): string {
  const base = `e2i_${slug(experimentId)}`;
  return stage === "staging" ? `${base}_staging` : base;
}

/** `e2i_<slug>:v<int>`. MLflow's version is unique under its model name, and so is the tag. */
export function bentoTag(version: Pick<ModelVersion, "model_name" | "version">): string {
  return `e2i_${slug(version.model_name)}:v${version.version}`;
}

/** Ids derive from the operation, so that a second try finds the first one's work. */
export const deploymentId = (operationId: string): string => operationId.replace(/^op_/, "deploy_");
export const modelVersionId = (operationId: string): string => operationId.replace(/^op_/, "mv_");
export const rolloutId = (operationId: string): string => operationId.replace(/^op_/, "rollout_");
