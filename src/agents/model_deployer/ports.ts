import type { Episode } from "./domain/episode.ts";
import type { z } from "zod";
import type { Metrics, Resources, Stage } from "./domain/entities.ts";
import type { Route, VersionFigures } from "./domain/rollout.ts";

/**
 * What the agent needs from outside, in its own nouns. Every method that crosses a process takes a `signal` and
 * raises `ServiceUnavailableError` when the part does not answer; other errors stand beside the method.
 */

export interface CallOptions {
  /** Aborted when the caller's deadline has passed. */
  signal: AbortSignal;
}

/** For so long a server works at one prediction, unless it is told otherwise; then it answers 504. */
export const PREDICTION_SECONDS = 14;

/** So long a router waits for a server's answer before it gives its caller a 504 of its own. */
export function answerSeconds(predictionSeconds = PREDICTION_SECONDS): number {
  return Math.ceil(predictionSeconds) + 1;
}

// ---------------------------------------------------------------- model registry (MLflow)

export interface TrainedRun {
  run_id: string;
  status: "running" | "finished" | "failed";
  /** The last value of each metric; NaN and infinities are left out and named in `unusable_metrics`. */
  metrics: Metrics;
  unusable_metrics: string[];
  /** `sklearn`, `xgboost`, ...; null when the model does not say. */
  algorithm: string | null;
}

export interface RegisteredVersion {
  model_name: string;
  version: number;
  source: string;
  run_id: string;
}

/** A version as the registry shows it. */
export interface ShownVersion extends RegisteredVersion {
  /** As it was projected last; null when it never was. */
  stage: string | null;
  /** All that point at this version, whoever set them. */
  aliases: string[];
}

export interface FetchedArtifact {
  /** The folder that holds the artifact's files. */
  path: string;
  /** sha256 over the sorted lines `<sha256 of file>  <relative path>`. */
  digest: string;
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
  describeRun(runId: string, options: CallOptions): Promise<TrainedRun>;
  /** Finds the version with this request key, or creates it. @throws ServiceRefusedError */
  registerVersion(
    input: { model_name: string; run_id: string; source: string; request_key: string },
    options: CallOptions,
  ): Promise<RegisteredVersion>;
  /** @throws NotFoundError */
  describeVersion(modelName: string, version: number, options: CallOptions): Promise<ShownVersion>;
  /** Downloads into a folder named by the content. @throws ArtifactRejectedError | NotFoundError */
  fetchArtifact(artifactUri: string, options: CallOptions): Promise<FetchedArtifact>;
  /** Idempotent. */
  projectStage(projection: StageProjection, options: CallOptions): Promise<void>;
}

// ---------------------------------------------------------------- packager and server (BentoML)

export interface PackageInput {
  bento_tag: string;
  model_name: string;
  version: number;
  /** A fetched artifact whose digest was checked. */
  model_path: string;
  preprocessing_path: string | null;
  artifact_digest: string;
}

export interface Package {
  bento_tag: string;
  path: string;
  /** The digest of the artifact that it was built from. */
  artifact_digest: string;
}

export interface ModelPackager {
  /** Finds the bento of exactly this tag, or builds it. @throws EndpointCreationError */
  packageModel(input: PackageInput, options: CallOptions): Promise<Package>;
  /** Null unless a whole bento of exactly this tag is in the store. */
  findPackage(bentoTag: string): Promise<Package | null>;
}

/** What a server's predictions do at a moment. */
export interface PredictionLoad {
  threads: number;
  under_way: number;
  waiting: number;
  /** Run longer than a prediction may; their callers have been answered. */
  hung: number;
  /** 0 while none is under way. */
  oldest_seconds: number;
}

export type ServerObservation =
  | { state: "absent" }
  | { state: "starting" }
  /**
   * Its event loop says that it takes requests, for this deployment and tag; no prediction was asked for. `replaced`
   * where the former server that it was started beside is still to be stopped.
   */
  | {
      state: "ready";
      host: string;
      port: number;
      bento_tag: string;
      predictions?: PredictionLoad;
      replaced?: boolean;
    }
  /** Its process runs, and does not answer in time or has no prediction left that would. */
  | { state: "unresponsive"; reason: string }
  /** Its process has ended, or its model could not be loaded. */
  | { state: "failed"; reason: string };

/** So long a server's event loop may take to answer before that counts as a miss. */
export const LIVENESS_TIMEOUT_MS = 10_000;

export interface ObserveOptions extends CallOptions {
  /** Less than `LIVENESS_TIMEOUT_MS` for whoever can't wait for it; such a miss proves little. */
  patience_ms?: number;
}

export interface StartServer {
  deployment_id: string;
  bento_tag: string;
  resources: Resources;
  /**
   * Had traffic before: that it is ready is enough, since what its model asks may be away. Without it the server has to
   * answer a sample prediction too.
   */
  served_before?: boolean;
  /**
   * Starts another server beside the one that has a process, which goes on answering at its own address. The new one is
   * the deployment's from when it is ready; the former one runs until it is stopped.
   */
  beside?: boolean;
}

export interface StopOptions extends CallOptions {
  /** Ends only the server that another one was started beside. */
  only_former?: boolean;
}

export interface ModelServer {
  /**
   * Starts one server for the deployment, or adopts the running one, and waits until it is ready.
   * @throws EndpointCreationError with the cause out of the server's log, or when the bento's artifacts are not the
   * files that it was built from; what this call started is ended, and an adopted server that may answer runs on.
   */
  start(input: StartServer, options: CallOptions): Promise<{ host: string; port: number }>;
  /**
   * Ends the server and all its processes. Takes no new requests from then on, and gives those under way as long as a
   * router waits for them. Idempotent.
   */
  stop(deploymentId: string, options: StopOptions): Promise<void>;
  /** Asks the server's event loop, and never stands in the queue of its predictions. */
  observe(deploymentId: string, options: ObserveOptions): Promise<ServerObservation>;
  /**
   * Makes the running server of one deployment another one's, at the same address: from then on the first has none, and
   * stopping it ends nothing. False where nothing runs, or it serves another bento, or the other has a server already.
   */
  handOver(
    from: string,
    to: { deployment_id: string; bento_tag: string },
    options: CallOptions,
  ): Promise<boolean>;
  /** Deployment ids of all servers that run here, wanted or not. */
  list(): Promise<string[]>;
}

// ---------------------------------------------------------------- traffic router (Envoy)

export interface ServerAddress {
  deployment_id: string;
  host: string;
  port: number;
}

export interface TrafficRouter {
  /** Finds or makes the endpoint's listener. The address never changes afterwards. @throws EndpointCreationError */
  open(endpointName: string, options: CallOptions): Promise<{ endpoint_url: string }>;
  /**
   * Applies a route and returns when the router has acknowledged it. A route with no weights answers 503 and still
   * mirrors. A generation at or below the one in force changes nothing and returns what is in force.
   * @throws ServiceRefusedError when the router rejects the route; what was in force stays.
   */
  apply(route: Route, servers: ServerAddress[], options: CallOptions): Promise<Route>;
  /** What the router says that it does; null when the endpoint has no listener. */
  observe(endpointName: string, options: CallOptions): Promise<Route | null>;
  /** One entry for each deployment that the endpoint has sent requests to, mirrors included. */
  figures(endpointName: string, options: CallOptions): Promise<VersionFigures[]>;
  /** Ends the listener. Idempotent. */
  close(endpointName: string, options: CallOptions): Promise<void>;
}

// ---------------------------------------------------------------- prediction logs

/** One request that a server answered with a prediction. */
export interface LoggedPrediction {
  /** `x-request-id`: a mirrored request has the same as the one that it mirrors. */
  request_id: string;
  prediction: z.core.util.JSONType;
  score: number | null;
}

export interface ReadPredictions {
  predictions: LoggedPrediction[];
  /** Where to go on; null while there is no log. */
  position: string | null;
}

export interface PredictionLogs {
  /** Some of the lines behind `from`, oldest first; null begins shortly before the newest. A deployment without a log has none. */
  read(deploymentId: string, from: string | null, options: CallOptions): Promise<ReadPredictions>;
}

// ---------------------------------------------------------------- memory

export interface WorkingMemory {
  /** Both raise ServiceUnavailableError, which the agent answers as degraded. */
  rememberManifest(sessionId: string, manifest: Record<string, unknown>, options: CallOptions): Promise<void>;
  recallManifest(sessionId: string, options: CallOptions): Promise<Record<string, unknown> | null>;
}

export type { Episode } from "./domain/episode.ts";

export interface EpisodicMemory {
  /** Idempotent by `dedupe_key`. */
  store(episode: Episode, options: CallOptions): Promise<void>;
  /** Newest first. */
  recent(
    filter: { endpoint_name?: string; experiment_id?: string; text?: string; limit: number },
    options: CallOptions,
  ): Promise<Episode[]>;
  /**
   * The nearest in meaning first, where there is an embedder and a database that compares vectors; elsewhere as `recent`
   * with this text.
   */
  similar(text: string, filter: { limit: number }, options: CallOptions): Promise<Episode[]>;
}

export interface Embedder {
  /** The text as 1536 finite numbers, the width of the pipeline's columns. @throws ServiceRefusedError */
  embed(text: string, options: CallOptions): Promise<number[]>;
}

export interface Procedure {
  procedure_name: string;
  procedure_type: "tool_sequence" | "error_recovery";
  tool_sequence: Record<string, unknown>[];
  trigger_pattern: string;
}

export interface ProceduralMemory {
  /** Counts one use of the procedure, once for each `dedupe_key`. */
  recordUse(
    procedure: Procedure,
    use: { dedupe_key: string; succeeded: boolean; duration_ms: number },
    options: CallOptions,
  ): Promise<void>;
  /** How often procedures with this trigger ran and worked. */
  experience(
    triggerPattern: string,
    options: CallOptions,
  ): Promise<{ usage_count: number; success_count: number }>;
}
