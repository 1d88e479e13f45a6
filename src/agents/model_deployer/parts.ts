import type { ServedStage } from "./domain/entities.ts";
import type { LivenessPolicy } from "./domain/liveness.ts";
import type * as ports from "./ports.ts";
import type * as stores from "./store_ports.ts";

/** Where the truth lies: everything that Postgres answers for. */
export interface Database {
  journal: stores.OperationJournal;
  operations: stores.OperationReader;
  leases: stores.Leases;
  modelVersions: stores.ModelVersions;
  deployments: stores.Deployments;
  experiments: stores.Experiments;
  endpoints: stores.Endpoints;
  rollouts: stores.Rollouts;
  rollbackFacts: stores.RollbackFactsReader;
  reconciliation: stores.Reconciliation;
  shadowEvidence: stores.ShadowEvidenceStore;
  shadowComparisons: stores.ShadowComparisonStore;
  approvals: stores.Approvals;
  history: stores.History;
  outbox: stores.Outbox;
  clock: stores.DatabaseClock;
}

/** Everything that the agent reaches; built in one place and handed in. */
export interface Parts {
  database: Database;
  registry: ports.ModelRegistry;
  packager: ports.ModelPackager;
  server: ports.ModelServer;
  router: ports.TrafficRouter;
  predictionLogs: ports.PredictionLogs;
  workingMemory: ports.WorkingMemory;
  episodicMemory: ports.EpisodicMemory;
  proceduralMemory: ports.ProceduralMemory;
}

export interface Settings {
  /** The principal that asks, as it was authenticated when the process started; never taken from a state. */
  requested_by: string;
  /** How long a lease holds without being renewed. */
  lease_seconds: number;
  /** After so long a live action stops waiting for its steps and answers `in_progress`. */
  patience_seconds: number;
  /** How long a replaced production deployment stays warm. */
  retention_seconds: number;
  /** How long a worker waits before it looks for drift again. */
  reconcile_seconds: number;
  /** After how many misses a server that has a process counts as dead. */
  liveness: Readonly<Record<ServedStage, LivenessPolicy>>;
  /** What `context.effects` is when the caller leaves it out; a development server always plans only. */
  default_effects: "live" | "dry-run";
}
