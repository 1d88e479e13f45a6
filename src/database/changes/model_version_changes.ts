import { z } from "zod";
import type { ChangeOf } from "../../agents/model_deployer/domain/changes.ts";
import { stageSchema, type Stage } from "../../agents/model_deployer/domain/entities.ts";
import { ConflictError, NotFoundError } from "../../agents/model_deployer/errors.ts";
import { anyRow, type Queries, type Transaction } from "../connection/transaction.ts";
import { json } from "../rows.ts";
import type { ChangeContext } from "./context.ts";

export async function insertModelVersion(
  tx: Queries,
  { model_version: version, algorithm }: ChangeOf<"insert_model_version">,
  context: ChangeContext,
): Promise<void> {
  await tx.query(
    anyRow,
    `insert into ml_model_registry (
       model_version_id, experiment_id, model_name, version, mlflow_run_id, algorithm, metrics, shap_evidence, stage,
       stage_revision, model_artifact_uri, preprocessing_artifact_uri, artifact_digest, preprocessing_digest,
       registered_at, promoted_at, earlier_version_id, signature, loading,
       signed_by
     ) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)`,
    [
      version.model_version_id,
      version.experiment_id,
      version.model_name,
      version.version,
      version.mlflow_run_id,
      algorithm,
      json(version.metrics),
      json(version.shap_evidence),
      version.stage,
      version.stage_revision,
      version.model_artifact_uri,
      version.preprocessing_artifact_uri,
      version.artifact_digest,
      version.preprocessing_digest,
      version.registered_at,
      version.promoted_at,
      version.earlier_version_id,
      json(version.signature),
      json(version.loading),
      json(version.signed_by),
    ],
  );
  await writeStageHistory(tx, context, {
    kind: "registration",
    model_version_id: version.model_version_id,
    from: null,
    changed_by: context.requested_by,
    reason: `Registered from run ${version.mlflow_run_id}${version.earlier_version_id === null ? "" : ` again, after ${version.earlier_version_id}`}`,
    metrics: version.metrics,
    evidence: { artifact_digest: version.artifact_digest },
  });
}

const movedRow = z.strictObject({ stage_revision: z.int() });
const stateRow = z.strictObject({ stage: stageSchema, stage_revision: z.int() });

/** `promoted_at` is the time of the last move towards traffic: any promotion, and a rollback's restoration. */
export async function setStage(
  tx: Transaction,
  change: ChangeOf<"set_stage">,
  context: ChangeContext,
): Promise<void> {
  await tx.together(
    () => moveStage(tx, change),
    () => writeStageHistory(tx, context, change),
  );
}

async function moveStage(tx: Queries, change: ChangeOf<"set_stage">): Promise<void> {
  const { model_version_id: id, from, to, expected_revision: revision } = change;
  const [moved] = await tx.query(
    movedRow,
    `update ml_model_registry set stage = $4, stage_revision = stage_revision + 1,
       promoted_at = case when $4::model_stage_enum = 'archived' then promoted_at else clock_timestamp() end
     where model_version_id = $1 and stage = $2 and stage_revision = $3
     returning stage_revision`,
    [id, from, revision, to],
  );
  if (moved === undefined) throw await lostStage(tx, id, { stage: from, stage_revision: revision });
}

async function lostStage(
  tx: Queries,
  id: string,
  expected: { stage: Stage; stage_revision: number },
): Promise<ConflictError | NotFoundError> {
  const [found] = await tx.query(
    stateRow,
    "select stage, stage_revision from ml_model_registry where model_version_id = $1",
    [id],
  );
  if (found === undefined) return new NotFoundError(`Model version ${id} does not exist`);
  return new ConflictError(
    `${id} was expected in ${expected.stage} at revision ${expected.stage_revision} and is in ${found.stage} at ${found.stage_revision}; ask again`,
    { details: { model_version_id: id, expected, found } },
  );
}

interface StageEvent {
  kind: "registration" | ChangeOf<"set_stage">["kind"];
  model_version_id: string;
  from: Stage | null;
  changed_by: string;
  reason: string;
  metrics: Record<string, number>;
  evidence: Record<string, unknown>;
}

async function writeStageHistory(tx: Queries, context: ChangeContext, event: StageEvent): Promise<void> {
  await tx.query(
    anyRow,
    `insert into ml_stage_history (
       kind, experiment_id, model_version_id, from_stage, to_stage, stage_revision, changed_by, reason, metrics,
       evidence, operation_id
     ) select $1, experiment_id, model_version_id, $3, stage, stage_revision, $4, $5, $6, $7, $8
       from ml_model_registry where model_version_id = $2`,
    [
      event.kind,
      event.model_version_id,
      event.from,
      event.changed_by,
      event.reason,
      json(event.metrics),
      json(event.evidence),
      context.operation_id,
    ],
  );
}
