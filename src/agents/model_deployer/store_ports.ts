import type { Change, ChangeOf, RolloutEvent } from "./domain/changes.ts";
import type {
  Deployment,
  Endpoint,
  Experiment,
  GatePolicy,
  Metrics,
  ModelVersion,
  NewGatePolicy,
  ShadowEvidence,
  Stage,
} from "./domain/entities.ts";
import type { Busy, RunningServer } from "./domain/reconciliation.ts";
import type { Restarts } from "./domain/server_restarts.ts";
import type { Plan, Refusal, Step } from "./domain/plan.ts";
import type { Rollout, VersionFigures } from "./domain/rollout.ts";
import type { ShadowComparison } from "./domain/shadow_comparison.ts";
import type { LoggedPrediction } from "./ports.ts";

/** What the agent asks of the database, which is the only authority on stage, deployment and traffic. */

export interface Lease {
  /** Usually an endpoint's name. */
  name: string;
  holder: string;
  token: number;
}

export interface Leases {
  /**
   * `background` is for work that nobody asked for: whoever is none takes the lease from it. `preempt` takes it from
   * whoever has it. @throws ConflictError that names the holder and since when
   */
  acquire(
    name: string,
    options: { ttl_seconds: number; preempt: boolean; background?: boolean },
  ): Promise<Lease>;
  /** @throws ConflictError when the token is no longer the newest. */
  renew(lease: Lease, options: { ttl_seconds: number }): Promise<void>;
  /** Idempotent; a stale token releases nothing. */
  release(lease: Lease): Promise<void>;
}

/** `planned` is begun with no step recorded yet. */
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
  /** `give_up` holds the error for which the steps before it are undone. */
  step: Step["step"] | "give_up";
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
  /**
   * Writes the plan and applies its intent, in one transaction under the lease; with it the record of a first step
   * that changes nothing but the database. @throws ConflictError
   */
  begin(
    operationId: string,
    plan: Plan,
    lease: Lease | null,
    first?: { step: RecordedStep; changes: Change[] },
  ): Promise<void>;
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
  /** Begun ones that nobody works on. Those that were given out longest ago come first, and go to the end by it. */
  takeUnfinished(limit: number): Promise<Operation[]>;
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
  /**
   * Deployments whose time of being kept warm is over, that no route names and whose server was not yet stopped. Each
   * is given to one caller for `claim_seconds`, in which it neither becomes active nor gets traffic. With a
   * `deployment_id` it is that one or none.
   */
  claimForDraining(options: {
    limit: number;
    claim_seconds: number;
    deployment_id?: string;
  }): Promise<Deployment[]>;
  /** Has a server stopped that runs though it was stopped before; nothing else is drained anew. */
  drainAgain(deploymentId: string): Promise<void>;
  /** Says that its server is stopped, and gives the claim back. @throws ConflictError when it serves again */
  markDrained(deploymentId: string): Promise<void>;
  /** Gives back the claim on a server that could not be stopped; it is due again after `retry_seconds`. */
  giveUpDraining(deploymentId: string, options: { retry_seconds: number }): Promise<void>;
}

export interface Experiments {
  get(experimentId: string): Promise<Experiment | null>;
  /** Idempotent for the same content. @throws ConflictError */
  create(experiment: Experiment, createdBy: string): Promise<void>;
  /** The experiment's newest policy, or the standard one. */
  getGatePolicy(experimentId: string): Promise<GatePolicy>;
  /** @throws InvalidRequestError for a demo policy in a database that is no demo. */
  setGatePolicy(experimentId: string, policy: NewGatePolicy, setBy: string): Promise<GatePolicy>;
}

export interface Endpoints {
  get(endpointName: string): Promise<Endpoint | null>;
  list(): Promise<Endpoint[]>;
  /** Those that mirror to a shadow, by name, at most `limit` behind `after`; an empty `after` begins with the first. */
  listMirrored(options: { after: string; limit: number }): Promise<Endpoint[]>;
}

export interface Rollouts {
  get(rolloutId: string): Promise<Rollout | null>;
  /** The endpoint's rollout that is running or paused, if any. */
  getOpen(endpointName: string): Promise<Rollout | null>;
  /**
   * Running rollouts whose time has come; each is given to one caller for `claim_seconds`. One whose endpoint is being
   * rolled back is left alone.
   */
  claimDue(options: { limit: number; claim_seconds: number }): Promise<Rollout[]>;
  /**
   * Gives back the claim of a look that failed, so that the next one need not wait until it runs out; where one is due,
   * it is due no sooner than after `retry_seconds`.
   */
  release(rolloutId: string, options: { retry_seconds: number }): Promise<void>;
  /** Keeps a look that moved no traffic. @throws ConflictError when the rollout is no longer as expected. */
  hold(change: ChangeOf<"move_rollout">): Promise<void>;
}

export interface StoredRollbackFacts {
  current: Deployment;
  current_version: ModelVersion | null;
  endpoint: Endpoint | null;
  /** As `Deployments.getPreviousProduction`. */
  previous: Deployment | null;
  previous_version: ModelVersion | null;
  open_rollout: Rollout | null;
  /** The current one's own, completed. */
  completed_rollout: Rollout | null;
}

export interface StoredEndpointFacts {
  endpoint: Endpoint;
  busy: Busy | null;
  candidate_id: string | null;
  /** On the route, or kept warm after production; each with its version. */
  served: { deployment: Deployment; version: ModelVersion; restarts: Restarts | null }[];
}

/** A page by name or id: what comes behind `after`, at most `limit`; null begins. */
export interface Page {
  after: string | null;
  limit: number;
}

export interface Reconciliation {
  endpoints(page: Page): Promise<StoredEndpointFacts[]>;
  /** The same for one endpoint whose lease one holds: that is no sign that somebody else is at work. */
  endpointUnder(lease: Lease): Promise<StoredEndpointFacts | null>;
  /** What is known of these servers' deployments; one that does not exist has null. */
  servers(deploymentIds: string[]): Promise<RunningServer[]>;
  /** Versions that the registry should have heard of: none whose projection is still under way. */
  projected(page: Page): Promise<ModelVersion[]>;
  /** Applies a repair's changes in one transaction under the lease. @throws ConflictError */
  repair(changes: Change[], lease: Lease, requestedBy: string): Promise<void>;
}

export interface RollbackFactsReader {
  /** All that the database knows of the way back from a deployment, seen at one moment; null when there is none. */
  read(deploymentId: string): Promise<StoredRollbackFacts | null>;
}

export interface ShadowEvidenceStore {
  /** Adds the growth since the last collection, whatever the counters' epoch. */
  collect(deploymentId: string, figures: VersionFigures): Promise<ShadowEvidence>;
  /**
   * Null when nothing was ever collected. The hours end with the last collection, or now where the counters are seen to be
   * in the same `epoch` still.
   */
  read(deploymentId: string, epoch?: string): Promise<ShadowEvidence | null>;
}

/** How far the log of each deployment was read. */
export type LogPositions = Record<string, string>;

export interface CollectedPredictions {
  /** The positions that were read from. */
  from: LogPositions;
  /** Those that are read now. */
  to: LogPositions;
  predictions: (LoggedPrediction & { side: "shadow" | "production" })[];
}

export interface ShadowComparisonStore {
  positions(shadowId: string): Promise<LogPositions>;
  /** Pairs what was read with what waits for it. Changes nothing when somebody has read on from `from` already. */
  collect(shadowId: string, collected: CollectedPredictions): Promise<void>;
  /** Null when nothing was ever collected. */
  read(shadowId: string): Promise<ShadowComparison | null>;
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
  /**
   * Takes back what the principal behind the token has approved of this operation, as long as it is not used.
   * @throws NotAuthenticatedError | InvalidApprovalError where nothing of theirs still holds | NotFoundError
   */
  revoke(input: { token: string; operation_id: string; reason: string }): Promise<Approval[]>;
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
  kind: ChangeOf<"set_stage">["kind"] | "registration" | "traffic" | RolloutEvent;
  occurred_at: string;
  experiment_id: string;
  model_version_id: string | null;
  from_stage: Stage | null;
  to_stage: Stage | null;
  endpoint_name: string | null;
  generation: number | null;
  /** By model version. */
  weights: Record<string, number> | null;
  rollout_id: string | null;
  /** The weights of the generation that was acknowledged before; null for the first, and for moves between stages. */
  from_weights: Record<string, number> | null;
  changed_by: string;
  reason: string;
  /** At that moment: the version's own of a move between stages; of traffic and rollouts what callers got, as `Moment` says. */
  metrics: Metrics;
  /** What decided: policy and shadow of a promotion; else the verdict, `live_figures`, and of traffic its `model_metrics`. */
  evidence: Record<string, unknown>;
}

export interface History {
  /** Oldest first. */
  list(experimentId: string): Promise<HistoryEvent[]>;
  /** The versions that an endpoint sent traffic to at an instant, with their weights. */
  inProductionAt(
    endpointName: string,
    instant: string,
  ): Promise<{ model_version_id: string; weight: number }[]>;
  /** The rollout that began last, whatever has become of it. */
  lastRollout(endpointName: string): Promise<Rollout | null>;
  /** What the shadow had shown when the version was last promoted to production; null when it never was. */
  promotionEvidence(modelVersionId: string): Promise<ShadowEvidence | null>;
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
