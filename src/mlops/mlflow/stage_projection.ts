import { InvalidRequestError } from "../../agents/model_deployer/errors.ts";
import type { Stage } from "../../agents/model_deployer/domain/entities.ts";
import type { StageProjection } from "../../agents/model_deployer/ports/model_registry_port.ts";
import type { MLflowModelVersion } from "./mlflow_answers.ts";
import { checkAlias, checkModelName, checkVersion } from "./name_rules.ts";

/** The tag that shows a version's stage to whoever looks into MLflow; the database stays the authority. */
export const STAGE_TAG = "e2i.stage";

/** MLflow's own stages, deprecated since 2.9; it has none for development and shadow. */
const LEGACY_STAGES = { staging: "Staging", production: "Production", archived: "Archived" } as const;
export type LegacyStage = (typeof LEGACY_STAGES)[keyof typeof LEGACY_STAGES];

/** The changes that MLflow needs; all empty when it shows the stage already. */
export interface ProjectionDifference {
  tag: { key: string; value: string } | null;
  aliases_to_set: string[];
  aliases_to_drop: string[];
  legacy_stage: LegacyStage | null;
}

/** @throws InvalidRequestError */
export function checkProjection(projection: StageProjection): void {
  checkModelName(projection.model_name);
  checkVersion(projection.version);
  for (const alias of [...projection.aliases, ...projection.dropped_aliases]) checkAlias(alias);
  const both = projection.aliases.filter((alias) => projection.dropped_aliases.includes(alias));
  if (both.length === 0) return;
  throw new InvalidRequestError(
    `${both.join(", ")} cannot be both set on and dropped from ${projection.model_name} version ${projection.version}.`,
  );
}

/** `seen.aliases` are those that point at this version, so an alias that points elsewhere is never dropped. */
export function differenceTo(
  projection: StageProjection,
  seen: MLflowModelVersion,
  options: { mirrorLegacyStages: boolean },
): ProjectionDifference {
  const tagged = seen.tags.some(({ key, value }) => key === STAGE_TAG && value === projection.stage);
  const legacy = options.mirrorLegacyStages ? legacyStageOf(projection.stage) : null;
  return {
    tag: tagged ? null : { key: STAGE_TAG, value: projection.stage },
    aliases_to_set: projection.aliases.filter((alias) => !seen.aliases.includes(alias)),
    aliases_to_drop: projection.dropped_aliases.filter((alias) => seen.aliases.includes(alias)),
    legacy_stage: legacy === seen.current_stage ? null : legacy,
  };
}

function legacyStageOf(stage: Stage): LegacyStage | null {
  return stage === "shadow" || stage === "development" ? null : LEGACY_STAGES[stage];
}
