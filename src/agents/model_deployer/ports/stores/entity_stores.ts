import type { StoredRollbackFacts } from "../../domain/traffic/ways_back.ts";
import type { Deployment, Endpoint, ModelVersion } from "../../domain/entities.ts";
import type { Rollout } from "../../domain/traffic/rollout.ts";
import type { Change, ChangeOf } from "../../domain/changes.ts";
import type { Restarts } from "../../domain/servers/server_restarts.ts";
import type { Busy, RunningServer } from "../../domain/servers/running_server.ts";
import type { Lease } from "./operation_stores.ts";
import type { WaysBack } from "../../domain/traffic/ways_back.ts";

export interface ModelVersions {
  get(modelVersionId: string): Promise<ModelVersion | null>;
  /** The last one that was registered from the run. */
  getByRun(experimentId: string, mlflowRunId: string): Promise<ModelVersion | null>;
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
   * Deployments whose warm time is over, that no route names and whose server was not yet stopped, nor is to be taken over
   * by an operation under way. Each is given to one caller for `claim_seconds`, in which it neither becomes active nor gets
   * traffic. With a `deployment_id` it is that one or none, whoever takes it over.
   */
  claimForDraining(options: {
    limit: number;
    claim_seconds: number;
    deployment_id?: string;
  }): Promise<Deployment[]>;
  /** Makes a server due to be stopped again that runs though it was stopped before; any other stays as it is. */
  drainAgain(deploymentId: string): Promise<void>;
  /** Records that its server is stopped, and releases the claim. @throws ConflictError when it serves again */
  markDrained(deploymentId: string): Promise<void>;
  /** Releases the claim on a server that could not be stopped; it is due again after `retry_seconds`. */
  giveUpDraining(deploymentId: string, options: { retry_seconds: number }): Promise<void>;
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
   * Running rollouts that are due; each is given to one caller for `claim_seconds`. One whose endpoint is being rolled
   * back is skipped.
   */
  claimDue(options: { limit: number; claim_seconds: number }): Promise<Rollout[]>;
  /**
   * Releases the claim of a failed look, so that the next one need not wait until it runs out; it is due no sooner than
   * after `retry_seconds`.
   */
  release(rolloutId: string, options: { retry_seconds: number }): Promise<void>;
  /** Stores a look that moved no traffic. @throws ConflictError when the rollout is no longer as expected. */
  hold(change: ChangeOf<"move_rollout">): Promise<void>;
}

export interface StoredEndpointFacts {
  endpoint: Endpoint;
  busy: Busy | null;
  candidate_id: string | null;
  /** On the route, or kept warm after production; each with its version. */
  served: { deployment: Deployment; version: ModelVersion; restarts: Restarts | null }[];
  /** Active, and off the route without an open rollout that would bring them back to it. */
  unreached: Deployment[];
}

/** A page by name or id: at most `limit` entries after `after`; null starts at the first. */
export interface Page {
  after: string | null;
  limit: number;
}

export interface Reconciliation {
  endpoints(page: Page): Promise<StoredEndpointFacts[]>;
  /** The same for one endpoint under the caller's own lease, which does not count as somebody else's work. */
  endpointUnder(lease: Lease): Promise<StoredEndpointFacts | null>;
  /** The deployments of these servers; null for one that does not exist. */
  servers(deploymentIds: string[]): Promise<RunningServer[]>;
  /** Versions whose projection to the registry is complete. */
  projected(page: Page): Promise<ModelVersion[]>;
  /** Applies a repair's changes in one transaction under the lease. @throws ConflictError */
  repair(changes: Change[], lease: Lease, requestedBy: string): Promise<void>;
}

export interface RollbackFactsReader {
  /** The database's facts on the way back from a deployment, read at one moment; null when there is none. */
  read(deploymentId: string): Promise<StoredRollbackFacts | null>;
  /** All that the endpoint could go back to, seen at one moment; null when there is no such endpoint. */
  waysBack(endpointName: string): Promise<WaysBack | null>;
}
