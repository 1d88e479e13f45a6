import type {
  CallOptions,
  FetchedArtifact,
  ModelRegistry,
  RegisteredVersion,
  ShownVersion,
  StageProjection,
  TrainedRun,
} from "../../agents/model_deployer/ports.ts";
import { ArtifactStore } from "./artifact_store.ts";
import { parseArtifactUri } from "./artifact_uri.ts";
import type { MLflowClient } from "./mlflow_client.ts";
import { checkModelName, checkRunId, checkVersion } from "./names.ts";
import { describeRun } from "./run_description.ts";
import { checkProjection, differenceTo, STAGE_TAG } from "./stage_projection.ts";
import { registeredVersion, VersionRegistration, type VersionRequest } from "./version_registration.ts";

export interface MLflowRegistryOptions {
  client: MLflowClient;
  /** Where fetched artifacts are kept, one folder for each digest. */
  artifactDirectory: string;
  /** Files of one artifact at most; 10,000 unless told. */
  maximumArtifactFiles?: number;
  /** Bytes of one artifact at most; 8 GiB unless told. */
  maximumArtifactBytes?: number;
  /** Also sets MLflow's deprecated stage, for stages that it knows: staging, production, archived. */
  mirrorLegacyStages?: boolean;
}

/** The model registry on an MLflow tracking server that serves its artifacts. Malformed names make no call. */
export class MLflowRegistry implements ModelRegistry {
  readonly #client: MLflowClient;
  readonly #artifacts: ArtifactStore;
  readonly #registration: VersionRegistration;
  readonly #mirrorLegacyStages: boolean;

  constructor(options: MLflowRegistryOptions) {
    this.#client = options.client;
    this.#mirrorLegacyStages = options.mirrorLegacyStages ?? false;
    this.#artifacts = new ArtifactStore({
      client: options.client,
      directory: options.artifactDirectory,
      ...(options.maximumArtifactFiles !== undefined && { maximumFiles: options.maximumArtifactFiles }),
      ...(options.maximumArtifactBytes !== undefined && { maximumBytes: options.maximumArtifactBytes }),
    });
    this.#registration = new VersionRegistration(options.client, (uri, signal) =>
      this.#artifacts.locate(uri, signal),
    );
  }

  /** @throws InvalidRequestError | NotFoundError | ServiceUnavailableError | ServiceRefusedError */
  async describeRun(runId: string, { signal }: CallOptions): Promise<TrainedRun> {
    checkRunId(runId);
    return await describeRun(this.#client, runId, signal);
  }

  /**
   * Makes the registered model when it is missing. A source under `runs:/` whose model MLflow keeps as a logged model is
   * registered as `models:/<model id>`.
   * @throws InvalidRequestError | ArtifactRejectedError | NotFoundError | ServiceRefusedError when the request key
   * belongs to another run or source | ServiceUnavailableError
   */
  async registerVersion(input: VersionRequest, { signal }: CallOptions): Promise<RegisteredVersion> {
    checkModelName(input.model_name);
    checkRunId(input.run_id);
    parseArtifactUri(input.source);
    return await this.#registration.register(input, signal);
  }

  /** @throws InvalidRequestError | NotFoundError | ServiceUnavailableError | ServiceRefusedError */
  async describeVersion(modelName: string, version: number, { signal }: CallOptions): Promise<ShownVersion> {
    checkModelName(modelName);
    checkVersion(version);
    const seen = await this.#client.getModelVersion(modelName, version, signal);
    const stage = seen.tags.find(({ key }) => key === STAGE_TAG)?.value ?? null;
    return { ...registeredVersion(seen), stage, aliases: seen.aliases };
  }

  /** @throws ArtifactRejectedError | NotFoundError | ServiceUnavailableError | ServiceRefusedError */
  async fetchArtifact(artifactUri: string, { signal }: CallOptions): Promise<FetchedArtifact> {
    return await this.#artifacts.fetch(artifactUri, signal);
  }

  /**
   * Sets the tag `e2i.stage` and the aliases, and drops those that point at this version; writes only what differs.
   * @throws InvalidRequestError | NotFoundError | ServiceUnavailableError | ServiceRefusedError
   */
  async projectStage(projection: StageProjection, { signal }: CallOptions): Promise<void> {
    checkProjection(projection);
    const target = { name: projection.model_name, version: projection.version };
    const seen = await this.#client.getModelVersion(target.name, target.version, signal);
    const difference = differenceTo(projection, seen, { mirrorLegacyStages: this.#mirrorLegacyStages });
    if (difference.tag !== null) await this.#client.setModelVersionTag(target, difference.tag, signal);
    for (const alias of difference.aliases_to_set) await this.#client.setAlias(target, alias, signal);
    for (const alias of difference.aliases_to_drop)
      await this.#client.deleteAlias(target.name, alias, signal);
    if (difference.legacy_stage === null) return;
    await this.#client.transitionStage(target, difference.legacy_stage, signal);
  }
}
