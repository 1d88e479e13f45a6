import type { Metrics, Stage } from "../domain/entities.ts";
import type { LoadingReport } from "../domain/models/loading_report.ts";
import type { ModelSignature } from "../domain/models/model_signature.ts";
import type { AllowedSigners, SignatureFound } from "../domain/models/signers.ts";
import type { CallOptions, LongCallOptions } from "./call_options.ts";

export interface TrainedRun {
  run_id: string;
  status: "running" | "finished" | "failed";
  /** The last value of each metric; NaN and infinities are left out and named in `unusable_metrics`. */
  metrics: Metrics;
  unusable_metrics: string[];
  /** `sklearn`, `xgboost`, ...; null when the model does not say. */
  algorithm: string | null;
  /** The signature in the asked files; null where the files do not tell, or none were asked for. */
  signature: ModelSignature | null;
}

export interface DescribeRunOptions extends CallOptions {
  /** The files whose signature is wanted; only a small description is read of them. */
  files?: { model: string; preprocessing: string | null };
}

export interface RegisteredVersion {
  model_name: string;
  version: number;
  source: string;
  run_id: string;
}

/** A version as the registry shows it. */
export interface ShownVersion extends RegisteredVersion {
  /** The stage that was projected last; null when none was. */
  stage: string | null;
  /** All aliases of this version, whoever set them. */
  aliases: string[];
}

export interface FetchedArtifact {
  /** The folder that holds the artifact's files. */
  path: string;
  /** sha256 over the sorted lines `<sha256 of file>  <relative path>`. */
  digest: string;
  /** Null where the files are no model, or one without a signature. */
  signature: ModelSignature | null;
  /** The effects of loading the files; left out where nobody looks. */
  loading?: LoadingReport;
  /** Who signed the files; left out where no signature was asked for, or nobody verifies any. */
  signed_by?: SignatureFound;
}

export interface FetchOptions extends LongCallOptions {
  /** Files that none of them signed are rejected. */
  signers?: AllowedSigners;
}

export interface StageProjection {
  model_name: string;
  version: number;
  stage: Stage;
  /** Aliases that must point at this version afterwards, and those that must not. */
  aliases: string[];
  dropped_aliases: string[];
}

export interface ModelRegistry {
  /** @throws NotFoundError */
  describeRun(runId: string, options: DescribeRunOptions): Promise<TrainedRun>;
  /** Finds the version with this request key, or creates it. @throws ServiceRefusedError */
  registerVersion(
    input: { model_name: string; run_id: string; source: string; request_key: string },
    options: CallOptions,
  ): Promise<RegisteredVersion>;
  /** @throws NotFoundError */
  describeVersion(modelName: string, version: number, options: CallOptions): Promise<ShownVersion>;
  /** Downloads into a folder named by the content. @throws ArtifactRejectedError | NotFoundError */
  fetchArtifact(artifactUri: string, options: FetchOptions): Promise<FetchedArtifact>;
  /** Idempotent. */
  projectStage(projection: StageProjection, options: CallOptions): Promise<void>;
}
