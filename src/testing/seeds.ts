import { createHash } from "node:crypto";
import type { Change } from "../agents/model_deployer/domain/changes.ts";
import { planWith } from "../agents/model_deployer/planning/decisions.ts";
import type { Metrics, ModelVersion, Stage } from "../agents/model_deployer/domain/entities.ts";
import { emptyAnswer } from "../agents/model_deployer/domain/answer.ts";
import { EXPERIMENT } from "./states.ts";
import type { DeployerUnderTest } from "./test_deployer.ts";

export interface VersionSeed {
  model_version_id: string;
  /** `development` unless told. */
  stage?: Stage;
  /** `test_auc` of 0.9 unless told. */
  metrics?: Metrics;
  experiment_id?: string;
}

const WAY: readonly Stage[] = ["development", "staging", "shadow", "production", "archived"];

/**
 * Puts a version under an id and at a stage of one's choice into the database, with a run and a model behind it in the
 * registry, so that it can be deployed. Nobody is asked for the moves between; what serves is left as it is.
 */
export async function seedVersion(
  { database, registry }: Pick<DeployerUnderTest, "database" | "registry">,
  seed: VersionSeed,
): Promise<ModelVersion> {
  const { model_version_id: id, experiment_id = EXPERIMENT, metrics = { test_auc: 0.9 } } = seed;
  const run_id = createHash("sha256").update(id).digest("hex").slice(0, 32);
  const options = { signal: AbortSignal.timeout(120_000) };
  registry.addRun({ run_id, metrics, models: { model: { "model.bin": `weights of ${id}` } } });
  const source = `runs:/${run_id}/model`;
  const model_name = experiment_id;
  const registered = await registry.registerVersion({ model_name, run_id, source, request_key: id }, options);
  const { digest } = await registry.fetchArtifact(registered.source, options);
  const version: ModelVersion = {
    model_version_id: id,
    experiment_id,
    model_name,
    version: registered.version,
    mlflow_run_id: run_id,
    model_artifact_uri: registered.source,
    preprocessing_artifact_uri: null,
    artifact_digest: digest,
    preprocessing_digest: null,
    metrics,
    shap_evidence: null,
    signature: null,
    loading: null,
    signed_by: null,
    earlier_version_id: null,
    stage: "development",
    stage_revision: 0,
    registered_at: await database.clock.now(),
    promoted_at: null,
  };
  await write(database, id, [
    { change: "insert_model_version", model_version: version, algorithm: null },
    ...movesTo(seed.stage ?? "development", id, metrics),
  ]);
  return (await database.modelVersions.get(id)) ?? version;
}

function movesTo(stage: Stage, id: string, metrics: Metrics): Change[] {
  const stages = WAY.slice(0, WAY.indexOf(stage) + 1);
  return stages.slice(1).map((to, index) => ({
    change: "set_stage",
    model_version_id: id,
    from: stages[index] ?? "development",
    to,
    expected_revision: index,
    kind: to === "archived" ? "archival" : "promotion",
    reason: "seeded by a test",
    changed_by: "test",
    metrics,
    evidence: {},
  }));
}

async function write(
  { journal }: Pick<DeployerUnderTest["database"], "journal">,
  id: string,
  intent: Change[],
): Promise<void> {
  const { operation_id } = await journal.claim({
    request_id: `seed:${id}`,
    payload_hash: id,
    action: "register",
    requested_by: "test",
    request: { model_version_id: id },
  });
  const plan = planWith({ summary: `Seed ${id}.`, lease_name: id, intent });
  await journal.begin(operation_id, plan, null);
  await journal.finish(operation_id, { status: "succeeded", result: { ...emptyAnswer } }, [], null);
}
