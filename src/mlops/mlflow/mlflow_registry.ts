import type { LoadingReport } from "../../agents/model_deployer/domain/models/loading_report.ts";
import {
  type ModelSignature,
  signatureBehind,
} from "../../agents/model_deployer/domain/models/model_signature.ts";
import type { AllowedSigners, SignatureFound } from "../../agents/model_deployer/domain/models/signers.ts";
import { ArtifactRejectedError, NotFoundError } from "../../agents/model_deployer/errors.ts";
import type { CallOptions, LongCallOptions } from "../../agents/model_deployer/ports/call_options.ts";
import type {
  DescribeRunOptions,
  FetchedArtifact,
  FetchOptions,
  ModelRegistry,
  RegisteredVersion,
  ShownVersion,
  StageProjection,
  TrainedRun,
} from "../../agents/model_deployer/ports/model_registry_port.ts";
import { ArtifactStore } from "./artifacts/artifact_store.ts";
import { parseArtifactUri } from "./artifacts/artifact_uri.ts";
import { DESCRIPTION_FILE, signatureIn, signatureOf } from "./model_description.ts";
import { readText } from "./mlflow_answers.ts";
import type { MLflowClient } from "./mlflow_client.ts";
import { checkModelName, checkRunId, checkVersion } from "./name_rules.ts";
import { describeRun } from "./run_description.ts";
import { checkProjection, differenceTo, STAGE_TAG } from "./stage_projection.ts";
import { registeredVersion, VersionRegistration, type VersionRequest } from "./version_registration.ts";

export interface MLflowRegistryOptions {
  client: MLflowClient;
  /** Where fetched artifacts are kept, one folder for each digest. */
  artifactDirectory: string;
  /** The most files of one artifact; 10,000 unless given. */
  maximumArtifactFiles?: number;
  /** The most bytes of one artifact; 8 GiB unless given. */
  maximumArtifactBytes?: number;
  /** Limit for fetching one artifact, `MODEL_DEPLOYER_FETCH_SECONDS`; an hour unless given. */
  artifactSeconds?: number;
  /** Tells what loading fetched files would do, or refuses them; `where` is their address. */
  inspect?: (folder: string, where: string, signal: AbortSignal) => Promise<LoadingReport>;
  /** Tells who signed fetched files, or refuses those that none of the allowed signers has signed. */
  verify?: (
    folder: string,
    where: string,
    signers: AllowedSigners,
    options: LongCallOptions,
  ) => Promise<SignatureFound>;
  /** Also sets MLflow's deprecated stage, for stages that it knows: staging, production, archived. */
  mirrorLegacyStages?: boolean;
}

/** The model registry on an MLflow tracking server that serves its artifacts. Malformed names make no call. */
export class MLflowRegistry implements ModelRegistry {
  readonly #client: MLflowClient;
  readonly #artifacts: ArtifactStore;
  readonly #registration: VersionRegistration;
  readonly #mirrorLegacyStages: boolean;
  readonly #inspect: MLflowRegistryOptions["inspect"];
  readonly #verify: MLflowRegistryOptions["verify"];

  constructor(options: MLflowRegistryOptions) {
    this.#client = options.client;
    this.#inspect = options.inspect;
    this.#verify = options.verify;
    this.#mirrorLegacyStages = options.mirrorLegacyStages ?? false;
    this.#artifacts = new ArtifactStore({
      client: options.client,
      directory: options.artifactDirectory,
      ...(options.artifactSeconds !== undefined && { limitSeconds: options.artifactSeconds }),
      ...(options.maximumArtifactFiles !== undefined && { maximumFiles: options.maximumArtifactFiles }),
      ...(options.maximumArtifactBytes !== undefined && { maximumBytes: options.maximumArtifactBytes }),
    });
    this.#registration = new VersionRegistration(options.client, (uri, signal) =>
      this.#artifacts.locate(uri, signal),
    );
  }

  /** @throws InvalidRequestError | NotFoundError | ServiceUnavailableError | ServiceRefusedError */
  async describeRun(runId: string, { signal, files }: DescribeRunOptions): Promise<TrainedRun> {
    checkRunId(runId);
    const [run, signature] = await Promise.all([
      describeRun(this.#client, runId, signal),
      files === undefined ? null : this.#signatureOfFiles(files, signal),
    ]);
    return { ...run, signature };
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
  async fetchArtifact(artifactUri: string, options: FetchOptions): Promise<FetchedArtifact> {
    const { signers, ...limits } = options;
    const fetched = await this.#artifacts.fetch(artifactUri, limits);
    const signed_by = signers && (await this.#verify?.(fetched.path, artifactUri, signers, limits));
    const loading = await this.#inspect?.(fetched.path, artifactUri, options.signal);
    const signature = await signatureIn(fetched.path, artifactUri);
    return { ...fetched, signature, ...(loading && { loading }), ...(signed_by && { signed_by }) };
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

  async #signatureOfFiles(
    { model, preprocessing }: NonNullable<DescribeRunOptions["files"]>,
    signal: AbortSignal,
  ): Promise<ModelSignature | null> {
    const own = await this.#signatureAt(model, signal);
    return preprocessing === null
      ? own
      : signatureBehind(await this.#signatureAt(preprocessing, signal), own);
  }

  /** Null where the files cannot be read: fetching them tells why. */
  async #signatureAt(uri: string, signal: AbortSignal): Promise<ModelSignature | null> {
    try {
      const { path, kind } = await this.#artifacts.locate(uri, signal);
      if (kind === "file") return null;
      const text = await this.#client.readArtifact(`${path}/${DESCRIPTION_FILE}`, readText, signal);
      return signatureOf(text, uri);
    } catch (error) {
      if (error instanceof NotFoundError || error instanceof ArtifactRejectedError) return null;
      throw error;
    }
  }
}
