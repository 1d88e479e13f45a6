import type {
  Deployment,
  Endpoint,
  Experiment,
  GatePolicy,
  Metrics,
  ModelVersion,
} from "../../../agents/model_deployer/domain/entities.ts";
import type { Rollout } from "../../../agents/model_deployer/domain/rollout.ts";
import type { ShadowComparison } from "../../../agents/model_deployer/domain/shadow_comparison.ts";
import type {
  Approval,
  HistoryEvent,
  LogPositions,
  Operation,
  OutboxEntry,
  RecordedStep,
} from "../../../agents/model_deployer/store_ports.ts";
import type { TestClock } from "../../clock.ts";
import { Table } from "./table.ts";

export type DeploymentRow = Deployment & { stopping_until: string | null };

export type EndpointRow = Endpoint & {
  wanted_at: string;
  wanted_by: string;
  wanted_reason: string;
  wanted_operation_id: string | null;
  wanted_metrics: Metrics;
  wanted_evidence: Record<string, unknown>;
};

export type OperationRow = Operation & {
  request_id: string | null;
  lease_name: string | null;
  lease_token: number | null;
  updated_at: string;
  finished_at: string | null;
};

export type RolloutRow = Rollout & { claimed_until: string | null };

export type ApprovalRow = Approval & {
  payload_hash: string;
  generation: number;
  reason: string;
  granted_at: string;
  expires_at: string;
  used_at: string | null;
  revoked: { at: string; reason: string } | null;
};

export interface LeaseRow {
  name: string;
  holder: string;
  token: number;
  acquired_at: string;
  expires_at: string;
  background: boolean;
  released: boolean;
}

export interface RestartsRow {
  deployment_id: string;
  failures: number;
  last_error: string | null;
  next_try_at: string | null;
}

export type OutboxRow = OutboxEntry & {
  next_attempt_at: string;
  delivered_at: string | null;
  last_error: string | null;
};

export interface EvidenceRow {
  deployment_id: string;
  epoch: string;
  requests: number;
  errors: number;
  p99_ms: number | null;
  began_at: string;
  collected_at: string;
}

export interface ComparisonRow {
  deployment_id: string;
  comparison: ShadowComparison;
  positions: LogPositions;
}

export interface UnpairedPredictionRow {
  shadow_id: string;
  side: "shadow" | "production";
  request_id: string;
  prediction: unknown;
  score: number | null;
  read_at: string;
}

export type StageEventRow = HistoryEvent & { stage_revision: number };
export type RolloutEventRow = HistoryEvent & { history_id: number };
export type TrafficEventRow = HistoryEvent & {
  endpoint_name: string;
  generation: number;
  deployment_weights: Record<string, number>;
};

/** All that the deployer keeps. What was written in a transaction that fails is not there afterwards. */
export class Tables {
  readonly #tables: { snapshot(): () => void }[] = [];
  readonly clock: TestClock;
  readonly installation: "standard" | "demo";
  readonly experiments = this.#table<Experiment>("ml_experiments", (row) => row.experiment_id);
  readonly policies = this.#table<GatePolicy & { experiment_id: string }>(
    "ml_gate_policies",
    (row) => row.policy_id,
  );
  readonly versions = this.#table<ModelVersion>("ml_model_registry", (row) => row.model_version_id);
  readonly deployments = this.#table<DeploymentRow>("ml_deployments", (row) => row.deployment_id);
  readonly endpoints = this.#table<EndpointRow>("ml_endpoints", (row) => row.endpoint_name);
  readonly rollouts = this.#table<RolloutRow>("ml_rollouts", (row) => row.rollout_id);
  readonly operations = this.#table<OperationRow>("ml_operations", (row) => row.operation_id);
  readonly steps = this.#table<RecordedStep & { operation_id: string }>(
    "ml_operation_steps",
    (row) => `${row.operation_id}/${row.index}`,
  );
  readonly leases = this.#table<LeaseRow>("ml_leases", (row) => row.name);
  readonly principals = this.#table<{ principal: string; token_sha256: string }>(
    "ml_principals",
    (row) => row.principal,
  );
  readonly approvals = this.#table<ApprovalRow>("ml_approvals", (row) => row.approval_id);
  readonly stageEvents = this.#table<StageEventRow>(
    "ml_stage_history",
    (row) => `${row.model_version_id}/${row.stage_revision}`,
  );
  readonly trafficEvents = this.#table<TrafficEventRow>(
    "ml_traffic_history",
    (row) => `${row.endpoint_name}/${row.generation}`,
  );
  readonly rolloutEvents = this.#table<RolloutEventRow>("ml_rollout_history", (row) => `${row.history_id}`);
  readonly evidence = this.#table<EvidenceRow>(
    "ml_shadow_evidence",
    (row) => `${row.deployment_id}/${row.epoch}`,
  );
  readonly comparisons = this.#table<ComparisonRow>("ml_shadow_comparisons", (row) => row.deployment_id);
  readonly unpaired = this.#table<UnpairedPredictionRow>(
    "ml_unpaired_predictions",
    (row) => `${row.shadow_id}/${row.side}/${row.request_id}`,
  );
  readonly restarts = this.#table<RestartsRow>("ml_server_restarts", (row) => row.deployment_id);
  readonly outbox = this.#table<OutboxRow>("ml_outbox", (row) => row.dedupe_key);

  constructor(options: { clock: TestClock; installation: "standard" | "demo" }) {
    this.clock = options.clock;
    this.installation = options.installation;
  }

  /**
   * All of `work` or nothing. It runs without a pause, so that transactions follow each other one by one.
   * @throws what `work` raises
   */
  transaction<T>(work: () => T): T {
    const undo = this.#tables.map((table) => table.snapshot());
    try {
      return work();
    } catch (error) {
      for (const restore of undo) restore();
      throw error;
    }
  }

  #table<Row extends object>(name: string, keyOf: (row: Row) => string): Table<Row> {
    const table = new Table<Row>(name, keyOf);
    this.#tables.push(table);
    return table;
  }
}
