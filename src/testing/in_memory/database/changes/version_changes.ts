import type { ChangeOf } from "../../../../agents/model_deployer/domain/changes.ts";
import type { ModelVersion, Stage } from "../../../../agents/model_deployer/domain/entities.ts";
import { ALLOWED_PROMOTIONS } from "../../../../agents/model_deployer/domain/lifecycle.ts";
import {
  ConflictError,
  InvalidPromotionPathError,
  NotFoundError,
} from "../../../../agents/model_deployer/errors.ts";
import type { HistoryEvent } from "../../../../agents/model_deployer/store_ports.ts";
import { jsonObject } from "../table.ts";
import type { ChangeContext } from "./context.ts";

export function insertModelVersion(
  { model_version: version }: ChangeOf<"insert_model_version">,
  context: ChangeContext,
): void {
  const { versions, experiments } = context.tables;
  if (version.stage !== "development" || version.stage_revision !== 0) {
    throw new InvalidPromotionPathError(`a version is registered in development, not in ${version.stage}`);
  }
  versions.requireUnique(version, ["model_name", "version"]);
  versions.requireUnique(version, ["experiment_id", "mlflow_run_id"]);
  experiments.require(version.experiment_id);
  versions.insert(version);
  writeHistory(context, version, {
    kind: "registration",
    from_stage: null,
    changed_by: context.requested_by,
    reason: `Registered from run ${version.mlflow_run_id}`,
    metrics: version.metrics,
    evidence: { artifact_digest: version.artifact_digest },
  });
}

export function setStage(change: ChangeOf<"set_stage">, context: ChangeContext): void {
  const { versions, clock } = context.tables;
  const found = versions.get(change.model_version_id);
  if (found === null) throw new NotFoundError(`Model version ${change.model_version_id} does not exist`);
  if (found.stage !== change.from || found.stage_revision !== change.expected_revision) {
    throw lostStage(found, change);
  }
  requireLegalMove(change);
  const moved: ModelVersion = {
    ...found,
    stage: change.to,
    stage_revision: found.stage_revision + 1,
    promoted_at: change.to === "archived" ? found.promoted_at : clock.now(),
  };
  if (moved.stage === "production") versions.requireUnique(moved, ["experiment_id", "stage"]);
  versions.put(moved);
  const evidence = jsonObject(change.evidence);
  const { kind, from: from_stage, changed_by, reason, metrics } = change;
  writeHistory(context, moved, { kind, from_stage, changed_by, reason, metrics, evidence });
}

function requireLegalMove({ model_version_id: id, from, to }: ChangeOf<"set_stage">): void {
  if (from === to) {
    throw new ConflictError(
      `Postgres refused the change: ${id}: each stage move raises stage_revision by one`,
    );
  }
  const isRestoration = from === "archived" && to === "production";
  if (isRestoration || ALLOWED_PROMOTIONS[from].includes(to)) return;
  throw new InvalidPromotionPathError(`${id} cannot move from ${from} to ${to}`);
}

function lostStage(
  { model_version_id, stage, stage_revision }: ModelVersion,
  change: ChangeOf<"set_stage">,
): ConflictError {
  const expected = { stage: change.from, stage_revision: change.expected_revision };
  return new ConflictError(
    `${model_version_id} was expected in ${expected.stage} at revision ${expected.stage_revision} and is in ${stage} at ${stage_revision}; ask again`,
    { details: { model_version_id, expected, found: { stage, stage_revision } } },
  );
}

type StageEvent = Pick<HistoryEvent, "kind" | "changed_by" | "reason" | "metrics" | "evidence"> & {
  from_stage: Stage | null;
};

function writeHistory({ tables }: ChangeContext, version: ModelVersion, event: StageEvent): void {
  tables.stageEvents.insert({
    ...event,
    occurred_at: tables.clock.now(),
    experiment_id: version.experiment_id,
    model_version_id: version.model_version_id,
    to_stage: version.stage,
    stage_revision: version.stage_revision,
    endpoint_name: null,
    generation: null,
    weights: null,
    rollout_id: null,
    from_weights: null,
  });
}
