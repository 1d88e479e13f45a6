import type { NextStep } from "../../../base/next_step.ts";
import { type ModelVersion, servedStageSchema, type Stage } from "../../domain/entities.ts";
import { ask } from "./next_steps.ts";

const FOLLOWING: Readonly<Record<Stage, Stage | null>> = {
  development: "staging",
  staging: "shadow",
  shadow: "production",
  production: null,
  archived: null,
};
const ORDER: readonly Stage[] = ["development", "staging", "shadow", "production", "archived"];

/** The next stage of a version; at production, where it may be served. */
export function stepsToNextStage(version: ModelVersion, reason: string): NextStep[] {
  const { model_version_id, stage } = version;
  const following = FOLLOWING[stage];
  if (following === null) return served(version);
  const promote = { deployment_action: "promote", model_version_id, target_stage: following };
  return [ask({ ...promote, promotion_reason: reason }, `is the next stage of ${model_version_id}`)];
}

/** Where a version is to be served at a stage that it is not at: the next stage on the way, or its own. */
export function stepsTowardsStage(version: ModelVersion, stage: Stage, reason: string): NextStep[] {
  const isBefore = ORDER.indexOf(version.stage) < ORDER.indexOf(stage);
  return isBefore ? stepsToNextStage(version, reason) : served(version);
}

function served({ model_version_id, stage }: ModelVersion): NextStep[] {
  const own = servedStageSchema.safeParse(stage);
  if (!own.success) return [];
  const deploy = { deployment_action: "deploy", model_version_id, target_stage: own.data };
  return [ask(deploy, `serves ${model_version_id} at ${stage}, where it is`)];
}
