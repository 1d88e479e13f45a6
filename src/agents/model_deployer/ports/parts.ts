import type { Origin } from "../domain/access/roles.ts";
import type { ServedStage } from "../domain/entities.ts";
import type { InstalledEngines } from "../domain/servers/engines.ts";
import type { LivenessPolicy } from "../domain/servers/liveness.ts";
import type { ModelRegistry } from "./model_registry_port.ts";
import type { TeamMetrics } from "./evidence/team_metrics_port.ts";
import type { ModelPackager } from "./model_packager_port.ts";
import type { ModelServer, ServerUsage } from "./model_server_port.ts";
import type { KnownVulnerabilities } from "./vulnerability_port.ts";
import type { TrafficRouter } from "./traffic_router_port.ts";
import type { PredictionLogs } from "./evidence/prediction_logs_port.ts";
import type { EpisodicMemory, ProceduralMemory, WorkingMemory } from "./memory_ports.ts";
import type { Notifications, NotificationSender } from "./notification_ports.ts";
import type { EndpointIngress, IngressPolicies } from "./ingress_ports.ts";
import type { KeptRowStore, RowServers } from "./evidence/row_ports.ts";
import type { OutcomeStore } from "./evidence/outcome_ports.ts";
import type { Leases, OperationJournal, OperationReader, Outbox } from "./stores/operation_stores.ts";
import type {
  Deployments,
  Endpoints,
  ModelVersions,
  Reconciliation,
  RollbackFactsReader,
  Rollouts,
} from "./stores/entity_stores.ts";
import type { Experiments } from "./stores/experiment_store.ts";
import type { ShadowComparisonStore, ShadowEvidenceStore } from "./evidence/shadow_ports.ts";
import type { Access, Approvals } from "./stores/approval_stores.ts";
import type { DatabaseClock, History } from "./stores/history_store.ts";

/** The stores of the database, which is the authority. */
export interface Database {
  journal: OperationJournal;
  operations: OperationReader;
  leases: Leases;
  modelVersions: ModelVersions;
  deployments: Deployments;
  experiments: Experiments;
  endpoints: Endpoints;
  rollouts: Rollouts;
  rollbackFacts: RollbackFactsReader;
  reconciliation: Reconciliation;
  shadowEvidence: ShadowEvidenceStore;
  shadowComparisons: ShadowComparisonStore;
  approvals: Approvals;
  access: Access;
  history: History;
  outbox: Outbox;
  notifications: Notifications;
  outcomes: OutcomeStore;
  keptRows: KeptRowStore;
  ingressPolicies: Pick<IngressPolicies, "wanted">;
  clock: DatabaseClock;
}

/** Everything that the agent reaches; built in one place and handed in. */
export interface Parts {
  database: Database;
  registry: ModelRegistry;
  packager: ModelPackager;
  server: ModelServer;
  /** Left out where nothing measures servers. */
  serverUsage?: ServerUsage;
  router: TrafficRouter;
  /** Left out where the router lets everybody in. */
  ingress?: EndpointIngress;
  predictionLogs: PredictionLogs;
  /** Left out by an engine whose servers keep no rows. */
  rowServers?: RowServers;
  /** Left out where no server of the team's metrics is configured. */
  teamMetrics?: TeamMetrics;
  /** Left out where nobody brought entries of known vulnerabilities. */
  vulnerabilities?: KnownVulnerabilities;
  workingMemory: WorkingMemory;
  episodicMemory: EpisodicMemory;
  proceduralMemory: ProceduralMemory;
  /** Left out where nobody is told of anything. */
  notificationSender?: NotificationSender;
}

export interface Settings {
  /** The requesting principal, authenticated when the process started; never taken from a state. */
  requested_by: string;
  /** Where its requests come from; a process that shows no token has the rights of its login. Null for a session that is not told. */
  origin?: Origin | null;
  /** How long a lease holds without being renewed. */
  lease_seconds: number;
  /** Seconds after which a live action stops waiting for its steps and answers `in_progress`. */
  patience_seconds: number;
  /** How long a replaced production deployment stays warm. */
  retention_seconds: number;
  /** How long a router waits for a server's answer, which is the longest that a request is under way. */
  answer_seconds: number;
  /** How long an operation waits for approvals before it expires. */
  approval_wait_seconds: number;
  /** Above the longest that an operation can take by the limits of its parts, which are what end them. */
  long_work_seconds: number;
  /** How long a worker waits before it looks for drift again. */
  reconcile_seconds: number;
  /** After how many misses a server that has a process counts as dead. */
  liveness: Readonly<Record<ServedStage, LivenessPolicy>>;
  /** The engines that this process has, as each process of an installation has to have them. */
  engines: InstalledEngines;
  /** The value of `context.effects` when the caller leaves it out; a development server always plans only. */
  default_effects: "live" | "dry-run";
}
