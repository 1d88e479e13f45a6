import type { CallOptions } from "./call_options.ts";
import type { Isolation, Resources } from "../domain/entities.ts";

/** Seconds that a server works at one prediction unless configured otherwise; then it answers 504. */
export const PREDICTION_SECONDS = 14;

/** Requests that wait for one of its threads unless configured otherwise; the next one is turned away. */
export const PREDICTION_QUEUE = 64;

/** Seconds that a router waits for a server's answer before it answers 504 itself. */
export function answerSeconds(predictionSeconds = PREDICTION_SECONDS): number {
  return Math.ceil(predictionSeconds) + 1;
}

/** A server's predictions at one moment. */
export interface PredictionLoad {
  threads: number;
  under_way: number;
  waiting: number;
  /** Predictions over their limit, whose callers have been answered already. */
  hung: number;
  /** 0 while none is under way. */
  oldest_seconds: number;
}

/** One of a deployment's servers. */
export type ReplicaObservation = { replica: number; host: string; port: number } & (
  { state: "ready" } | { state: "starting" } | { state: "unresponsive" | "failed"; reason: string }
);

export type ServerObservation =
  | { state: "absent" }
  | { state: "starting" }
  /**
   * At least one of its servers takes requests, for this deployment and tag; no prediction was requested. `replaced`
   * where former servers are still to be stopped. `replicas` has each server, counted from 1; an engine that looks after
   * their number itself leaves it out. `host` and `port` are those of the first that is ready.
   */
  | {
      state: "ready";
      host: string;
      port: number;
      /** As in `ServerAddress`. */
      tls?: true;
      bento_tag: string;
      predictions?: PredictionLoad;
      replaced?: boolean;
      /** One of its servers was started under other settings than one that is started now; see `compares_settings`. */
      outdated?: true;
      replicas?: ReplicaObservation[];
    }
  /** Its process runs, and does not answer in time or has no free prediction thread. */
  | { state: "unresponsive"; host: string; port: number; tls?: true; reason: string }
  /** Its process has ended, or its model could not be loaded. */
  | { state: "failed"; reason: string };

export type ReadyServers = Extract<ServerObservation, { state: "ready" }>;

/** Whether requests wait in its queues, predictions are over their limit, or one of its servers does not answer. */
export function isBehind({ predictions, replicas = [] }: ReadyServers): boolean {
  const isLate = predictions !== undefined && predictions.hung + predictions.waiting > 0;
  return isLate || replicas.some(({ state }) => state !== "ready");
}

/** How long a server's event loop may take to answer before that counts as a miss. */
export const LIVENESS_TIMEOUT_MS = 10_000;

export interface ObserveOptions extends CallOptions {
  /** A shorter limit than `LIVENESS_TIMEOUT_MS` for a caller that cannot wait; such a miss proves little. */
  patience_ms?: number;
  /** Also tells whether the server is `outdated`, where its engine knows. */
  compares_settings?: boolean;
}

/** The isolation that all of a deployment's servers have at least. */
export function weakest(isolations: readonly Isolation[]): Isolation {
  return isolations.find((one) => one === "none") ?? isolations[0] ?? "none";
}

/** Where the first of a deployment's servers answers, and what contains all of them. */
export interface StartedServer {
  host: string;
  port: number;
  isolation: Isolation;
}

export interface StartServer {
  deployment_id: string;
  bento_tag: string;
  resources: Resources;
  /**
   * The deployment had traffic before, so readiness suffices, since its model's upstream may be away. Without it the
   * server also has to answer a sample prediction.
   */
  served_before?: boolean;
  /**
   * Starts another server beside each present one, which keeps answering at its own address. The new one is the
   * deployment's as soon as it is ready; the former one runs until it is stopped.
   */
  beside?: boolean;
  /** Only this one of the deployment's servers, counted from 1, so that they are replaced one by one. */
  replica?: number;
  /**
   * A new deployment begins with as many servers as this one has now, within its own bounds, on an engine that looks
   * after their number itself; others leave it to the deployer.
   */
  sized_by?: string;
}

/**
 * The outcome of predicting the example that a model was saved with; `none` where it has none. Evidence, and never a
 * sign of death.
 */
export type SampleOutcome = { sample: "answered" | "none" } | { sample: "failed"; reason: string };

/** Sample predictions for observers: they start, stop and move nothing. */
export interface SamplePredictions {
  /** Asks a ready server to predict its model's own example; the request waits in its prediction queue. */
  trySample(deploymentId: string, options: CallOptions): Promise<SampleOutcome>;
}

export interface StopOptions extends CallOptions {
  /** Ends only servers that others were started beside, and those that are more than were asked for last. */
  only_former?: boolean;
}

export interface ModelServer {
  /**
   * Brings the deployment to as many servers as its `resources` say: starts those that are missing, adopts those that run,
   * and waits until all are ready. Those that are too many belong to it no longer, and run until they are stopped.
   * @throws EndpointCreationError with the cause out of the server's log, or when the bento's artifacts are not the
   * files that it was built from; what this call started is ended, and an adopted server that may answer runs on.
   * ConfigurationError where an isolation is required that there is not, or that a server lacks which would be adopted for a
   * deployment that had no traffic yet.
   * MemoryShortError where others are to be started beside one and there is no memory for them; the present ones stay.
   */
  start(input: StartServer, options: CallOptions): Promise<StartedServer>;
  /**
   * Ends the deployment's servers and all their processes. From then on it takes no new requests, and finishes those under way for as
   * long as a router waits for them. Idempotent.
   */
  stop(deploymentId: string, options: StopOptions): Promise<void>;
  /** Asks the server's event loop, without waiting in its prediction queue. */
  observe(deploymentId: string, options: ObserveOptions): Promise<ServerObservation>;
  /**
   * Hands the running server of one deployment to another one, at the same address: afterwards the first has none, and
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

/** The use of one of a deployment's servers. */
export interface ReplicaUsage {
  replica: number;
  /** Of all its processes, shared memory counted once. */
  memory_bytes: number;
  /** CPU that its present processes have used since they began. */
  cpu_seconds: number;
  /** Names the life of its process: with another, the CPU counts from zero. */
  run: string;
  age_seconds: number;
  /** How often it was ended for its memory, where limits are enforced. */
  out_of_memory: number;
  /** How long its threads were held back for `cpu_limit` since it was started; null where that is not enforced. */
  throttled_seconds: number | null;
}

/** Whether `cpu_limit` and `memory_limit` hold. */
export type LimitsState = { enforced: true } | { enforced: false; reason: string };

/** Measures servers; an engine without it leaves it out of the parts. */
export interface ServerUsage {
  /** One entry for each server that runs; null where its engine measures none. */
  usage(deploymentId: string, options: CallOptions): Promise<ReplicaUsage[] | null>;
  /** Of a deployment whose servers were started; null where its engine does not tell. */
  limits(deploymentId: string, options: CallOptions): Promise<LimitsState | null>;
  /** CPU cores that all servers share. */
  cores(options: CallOptions): Promise<number>;
}

export interface ReadOptions extends CallOptions {
  /** Also the requests that it answered with an error. */
  with_failures?: boolean;
}
