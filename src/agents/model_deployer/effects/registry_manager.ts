import type { VersionProjection } from "../domain/lifecycle.ts";
import type { ModelVersion, Stage } from "../domain/entities.ts";
import type { LoadingReport } from "../domain/models/loading_report.ts";
import type { ModelSignature } from "../domain/models/model_signature.ts";
import type { SignatureFound } from "../domain/models/signers.ts";
import type { StepOf } from "../domain/plan.ts";
import { assertAllowed } from "./assert_allowed.ts";
import { assertSigned } from "./assert_signed.ts";
import { ConflictError, NotFoundError } from "../errors.ts";
import type { CallOptions, LongCallOptions } from "../ports/call_options.ts";
import type { ModelRegistry, StageProjection } from "../ports/model_registry_port.ts";
import type { Database } from "../ports/parts.ts";

/** `previous` marks the version that a rollback would bring back. */
const ALIASES = ["staging", "shadow", "production", "previous"] as const;
type Alias = (typeof ALIASES)[number];

const STAGE_ALIAS: Readonly<Record<Stage, Alias | null>> = {
  development: null,
  staging: "staging",
  shadow: "shadow",
  production: "production",
  archived: null,
};

/** Registers versions, pins their artifacts, and keeps the registry's aliases as the database has the stages. */
export class RegistryManager {
  readonly #registry: ModelRegistry;
  readonly #database: Database;

  constructor(registry: ModelRegistry, database: Database) {
    this.#registry = registry;
    this.#database = database;
  }

  /** @throws ConflictError when the run is registered already; the registry is then asked for no other version */
  async register(step: StepOf<"register_in_registry">, options: CallOptions): Promise<{ version: number }> {
    const {
      experiment_id,
      model_name,
      mlflow_run_id: run_id,
      source,
      request_key,
      earlier_version_id,
    } = step;
    const before =
      experiment_id === null ? null : await this.#database.modelVersions.getByRun(experiment_id, run_id);
    if (before !== null && before.model_version_id !== earlier_version_id) {
      throw new ConflictError(`Run ${run_id} was registered meanwhile, as ${before.model_version_id}.`, {
        details: { mlflow_run_id: run_id, found: { model_version_id: before.model_version_id } },
      });
    }
    const registered = await this.#registry.registerVersion(
      { model_name, run_id, source, request_key },
      options,
    );
    return { version: registered.version };
  }

  /** @throws ArtifactRejectedError also for files in a format, or by a signer, that the step does not allow */
  async pin(
    step: StepOf<"pin_artifact">,
    options: LongCallOptions,
  ): Promise<{
    artifact: string;
    digest: string;
    signature: ModelSignature | null;
    loading: LoadingReport | null;
    signed_by: SignatureFound | null;
  }> {
    const { artifact, artifact_uri: uri, allowed, signers } = step;
    const asked = { ...options, ...(signers && { signers }) };
    const { digest, signature, loading, signed_by } = await this.#registry.fetchArtifact(uri, asked);
    assertAllowed(allowed, loading, { artifact, uri });
    assertSigned(signers, signed_by, uri);
    return { artifact, digest, signature, loading: loading ?? null, signed_by: signed_by ?? null };
  }

  /**
   * Reads the version's stage now, not when the change was made, so that entries may arrive late or twice.
   * @throws NotFoundError
   */
  async projectStage(modelVersionId: string, options: CallOptions): Promise<void> {
    const version = await this.#database.modelVersions.get(modelVersionId);
    if (version === null)
      throw new NotFoundError(`Model version ${modelVersionId} does not exist in the database.`);
    await this.#registry.projectStage(await this.#wanted(version), options);
  }

  /** A version as the database wants it shown, and as the registry shows it, with the deployer's own aliases only. */
  async compare(
    version: ModelVersion,
    options: CallOptions,
  ): Promise<{ wanted: VersionProjection; seen: VersionProjection }> {
    const [wanted, seen] = await Promise.all([
      this.#wanted(version),
      this.#registry.describeVersion(version.model_name, version.version, options),
    ]);
    const own: readonly string[] = ALIASES;
    return { wanted, seen: { ...seen, aliases: seen.aliases.filter((alias) => own.includes(alias)) } };
  }

  async #wanted(version: ModelVersion): Promise<StageProjection> {
    const alias = (await this.#isPrevious(version)) ? "previous" : await this.#stageAlias(version);
    return {
      model_name: version.model_name,
      version: version.version,
      stage: version.stage,
      aliases: alias === null ? [] : [alias],
      dropped_aliases: ALIASES.filter((name) => name !== alias),
    };
  }

  /** An alias names one version of a model: of several at a stage, the one that came there last. */
  async #stageAlias({
    model_version_id,
    experiment_id,
    model_name,
    stage,
  }: ModelVersion): Promise<Alias | null> {
    const alias = STAGE_ALIAS[stage];
    if (alias === null) return null;
    const versions = await this.#database.modelVersions.list(experiment_id);
    const last = versions
      .filter((one) => one.model_name === model_name && one.stage === stage)
      .sort(byArrival)
      .at(-1);
    return last?.model_version_id === model_version_id ? alias : null;
  }

  async #isPrevious(version: ModelVersion): Promise<boolean> {
    if (version.stage !== "archived") return false;
    const production = await this.#database.modelVersions.getProduction(version.experiment_id);
    if (production === null) return false;
    const deployments = await this.#database.deployments.listForVersion(production.model_version_id);
    const serving = deployments.find((one) => one.target_stage === "production" && one.status !== "failed");
    if (serving === undefined) return false;
    const previous = await this.#database.deployments.getPreviousProduction(serving);
    return previous?.model_version_id === version.model_version_id;
  }
}

function byArrival(one: ModelVersion, other: ModelVersion): number {
  const [at, otherAt] = [one.promoted_at ?? one.registered_at, other.promoted_at ?? other.registered_at];
  return Date.parse(at) - Date.parse(otherAt) || one.version - other.version;
}
