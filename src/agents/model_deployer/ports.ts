import type { Change, ChangeOf } from "./domain/changes.ts";
import type {
  Deployment,
  Endpoint,
  Experiment,
  GatePolicy,
  Metrics,
  ModelVersion,
  Resources,
  ShadowEvidence,
  Stage,
} from "./domain/entities.ts";
import type { Plan, Refusal, Step } from "./domain/plan.ts";
import type { Rollout, Route, VersionFigures } from "./domain/rollout.ts";

/**
 * What the agent needs from outside, in its own nouns. Every method that crosses a process takes a `signal` and
 * raises `ServiceUnavailableError` when the part does not answer; other errors stand beside the method.
 */

export interface CallOptions {
  /** Aborted when the caller's deadline has passed. */
  signal: AbortSignal;
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
  describeVersion(modelName: string, version: number, options: CallOptions): Promise<RegisteredVersion>;
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

export type ServerObservation =
  | { state: "absent" }
  | { state: "starting" }
  /** Answered `/readyz`, named the expected tag in `/info`, and answered a sample prediction. */
  | { state: "ready"; host: string; port: number; bento_tag: string }
  | { state: "failed"; reason: string };

export interface ModelServer {
  /**
   * Starts one server for the deployment, or adopts the running one, and waits until it is ready.
   * @throws EndpointCreationError with the cause out of the server's log; nothing is left running.
   */
  start(
    input: { deployment_id: string; bento_tag: string; resources: Resources },
    options: CallOptions,
  ): Promise<{ host: string; port: number }>;
  /** Ends the server and all its processes. Idempotent. */
  stop(deploymentId: string, options: CallOptions): Promise<void>;
  observe(deploymentId: string, options: CallOptions): Promise<ServerObservation>;
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

// ---------------------------------------------------------------- database

export interface Lease {
  /** Usually an endpoint's name. */
  name: string;
  holder: string;
  token: number;
}

export interface Leases {
  /** @throws ConflictError that names the holder and since when. `preempt` takes it from whoever has it. */
  acquire(name: string, options: { ttl_seconds: number; preempt: boolean }): Promise<Lease>;
  /** @throws ConflictError when the token is no longer the newest. */
  renew(lease: Lease, options: { ttl_seconds: number }): Promise<void>;
  /** Idempotent; a stale token releases nothing. */
  release(lease: Lease): Promise<void>;
}

export type OperationStatus =
  "claimed" | "planned" | "awaiting_approval" | "carrying_out" | "succeeded" | "refused" | "failed";

export interface Operation {
  operation_id: string;
  action_key: string;
  payload_hash: string;
  action: string;
  requested_by: string;
  request: Record<string, unknown>;
  status: OperationStatus;
  plan: Plan | null;
  refusal: Refusal | null;
  /** What the caller was answered; null while unfinished. */
  result: Record<string, unknown> | null;
  error: { code: string; message: string; details: Record<string, unknown> } | null;
  created_at: string;
}

export interface RecordedStep {
  index: number;
  step: Step["step"];
  result: Record<string, unknown>;
}

export interface OperationJournal {
  /**
   * Finds or inserts the operation of this key.
   * @throws IdempotencyKeyReusedError when the key came before with another payload hash.
   */
  claim(input: {
    /** Null derives the key from the payload, so that a finished refusal or failure does not block a new try. */
    request_id: string | null;
    payload_hash: string;
    action: string;
    requested_by: string;
    request: Record<string, unknown>;
  }): Promise<Operation>;
  /** Keeps a plan that waits for approvals, so that whoever approves can read it. Nothing else changes. */
  propose(operationId: string, plan: Plan): Promise<void>;
  /** Writes the plan and applies its intent, in one transaction under the lease. @throws ConflictError */
  begin(operationId: string, plan: Plan, lease: Lease | null): Promise<void>;
  /** Records a step's result and applies changes that belong to it. @throws ConflictError */
  record(operationId: string, step: RecordedStep, changes: Change[], lease: Lease | null): Promise<void>;
  /** The last transaction: applies the changes and stores the outcome. @throws ConflictError */
  finish(
    operationId: string,
    outcome:
      | { status: "succeeded"; result: Record<string, unknown> }
      | { status: "refused"; refusal: Refusal }
      | { status: "failed"; error: NonNullable<Operation["error"]> },
    changes: Change[],
    lease: Lease | null,
  ): Promise<void>;
}

export interface OperationReader {
  get(operationId: string): Promise<Operation | null>;
  /** In the order of their index. */
  steps(operationId: string): Promise<RecordedStep[]>;
  /** Unfinished ones that nobody works on, oldest first. */
  listUnfinished(limit: number): Promise<Operation[]>;
}

export interface ModelVersions {
  get(modelVersionId: string): Promise<ModelVersion | null>;
  getByRun(experimentId: string, mlflowRunId: string): Promise<ModelVersion | null>;
  /** The one version at production, if any. */
  getProduction(experimentId: string): Promise<ModelVersion | null>;
  list(experimentId: string): Promise<ModelVersion[]>;
}

export interface Deployments {
  get(deploymentId: string): Promise<Deployment | null>;
  /** Newest first. */
  listForEndpoint(endpointName: string): Promise<Deployment[]>;
  /** Newest first. */
  listForVersion(modelVersionId: string): Promise<Deployment[]>;
  /** The last deployment that served production traffic before this one; never this one itself. */
  getPreviousProduction(deployment: Deployment): Promise<Deployment | null>;
  /** Replaced deployments whose time of being kept warm is over and whose server was not yet stopped. */
  listDueToDrain(limit: number): Promise<Deployment[]>;
  /** Says that its server is stopped. @throws ConflictError when it serves again */
  markDrained(deploymentId: string): Promise<void>;
}

export interface Experiments {
  get(experimentId: string): Promise<Experiment | null>;
  /** Idempotent for the same content. @throws ConflictError */
  create(experiment: Experiment, createdBy: string): Promise<void>;
  /** The experiment's newest policy, or the standard one. */
  getGatePolicy(experimentId: string): Promise<GatePolicy>;
  /** @throws InvalidRequestError for a demo policy in a database that is no demo. */
  setGatePolicy(
    experimentId: string,
    policy: Omit<GatePolicy, "policy_id">,
    setBy: string,
  ): Promise<GatePolicy>;
}

export interface Endpoints {
  get(endpointName: string): Promise<Endpoint | null>;
  list(): Promise<Endpoint[]>;
}

export interface Rollouts {
  get(rolloutId: string): Promise<Rollout | null>;
  /** The endpoint's rollout that is running or paused, if any. */
  getOpen(endpointName: string): Promise<Rollout | null>;
  /** Running rollouts whose time has come; each is given to one caller for `claim_seconds`. */
  claimDue(options: { limit: number; claim_seconds: number }): Promise<Rollout[]>;
  /** Keeps a look that moved no traffic. @throws ConflictError when the rollout is no longer as expected. */
  hold(change: ChangeOf<"move_rollout">): Promise<void>;
}

export interface ShadowEvidenceStore {
  /** Adds the growth since the last collection, whatever the counters' epoch. */
  collect(deploymentId: string, figures: VersionFigures): Promise<ShadowEvidence>;
  /** Null when nothing was ever collected. */
  read(deploymentId: string): Promise<ShadowEvidence | null>;
}

export interface Approval {
  approval_id: string;
  operation_id: string;
  approver: string;
}

export interface Approvals {
  /** Approvals of this operation that still hold for this payload and generation and are not by the requester. */
  listValid(operationId: string, bound: { payload_hash: string; generation: number }): Promise<Approval[]>;
  /**
   * Grants an approval as the principal behind the token.
   * @throws NotAuthenticatedError | InvalidApprovalError | NotFoundError
   */
  grant(input: { token: string; operation_id: string; reason: string }): Promise<Approval>;
}

export interface Principals {
  /** @throws NotAuthenticatedError */
  authenticate(token: string): Promise<{ principal: string }>;
  /** Stores a hash of the token only. */
  enrol(principal: string, token: string): Promise<void>;
}

export interface DatabaseClock {
  /** The database's own time, ISO 8601. */
  now(): Promise<string>;
}

export interface HistoryEvent {
  kind: "promotion" | "supersession" | "rollback" | "archival" | "registration" | "traffic";
  occurred_at: string;
  experiment_id: string;
  model_version_id: string | null;
  from_stage: Stage | null;
  to_stage: Stage | null;
  endpoint_name: string | null;
  generation: number | null;
  weights: Record<string, number> | null;
  changed_by: string;
  reason: string;
  metrics: Metrics;
}

export interface History {
  /** Oldest first. */
  list(experimentId: string): Promise<HistoryEvent[]>;
  /** The versions that an endpoint sent traffic to at an instant, with their weights. */
  inProductionAt(
    endpointName: string,
    instant: string,
  ): Promise<{ model_version_id: string; weight: number }[]>;
}

export interface OutboxEntry {
  entry_id: string;
  topic: "registry_projection" | "episodic_memory" | "procedural_memory";
  dedupe_key: string;
  payload: Record<string, unknown>;
  attempts: number;
}

export interface Outbox {
  /** Undelivered entries whose time has come, oldest first, given to one caller for a while. */
  claim(limit: number): Promise<OutboxEntry[]>;
  delivered(entryId: string): Promise<void>;
  /** Sets the next try, later each time. */
  failed(entryId: string, reason: string): Promise<void>;
}

// ---------------------------------------------------------------- memory

export interface WorkingMemory {
  /** Both raise ServiceUnavailableError, which the agent answers as degraded. */
  rememberManifest(sessionId: string, manifest: Record<string, unknown>, options: CallOptions): Promise<void>;
  recallManifest(sessionId: string, options: CallOptions): Promise<Record<string, unknown> | null>;
}

export interface Episode {
  dedupe_key: string;
  event_type: "agent_action";
  event_subtype:
    "registration" | "deployment" | "promotion" | "rollback" | "rollout_step" | "refusal" | "failure";
  description: string;
  raw_content: Record<string, unknown>;
  experiment_id: string | null;
  endpoint_name: string | null;
  outcome_type: "success" | "partial_success" | "failure" | "pending" | "escalated";
  outcome_details: Record<string, unknown>;
  occurred_at: string;
}

export interface EpisodicMemory {
  /** Idempotent by `dedupe_key`. */
  store(episode: Episode, options: CallOptions): Promise<void>;
  /** Newest first. */
  recent(
    filter: { endpoint_name?: string; experiment_id?: string; text?: string; limit: number },
    options: CallOptions,
  ): Promise<Episode[]>;
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
