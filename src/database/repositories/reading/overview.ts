import { z } from "zod";
import {
  type Experiment,
  experimentSchema,
  instantSchema,
} from "../../../agents/model_deployer/domain/entities.ts";
import {
  type TrafficChange,
  trafficChangeSchema,
} from "../../../agents/model_deployer/domain/traffic/route_history.ts";
import type { SqlDatabase } from "../../connection/pool.ts";
import { anyRow } from "../../connection/transaction.ts";
import { restartsSchema } from "../restarts_query.ts";

const leaseRow = z.strictObject({
  name: z.string(),
  holder: z.string(),
  since: instantSchema,
  expires_at: instantSchema,
});
export type HeldLease = z.infer<typeof leaseRow>;

const operationRow = z.strictObject({
  operation_id: z.string(),
  action: z.string(),
  status: z.enum(["preparing", "planned", "awaiting_approval", "carrying_out"]),
  requested_by: z.string(),
  created_at: instantSchema,
  /** When its wait for approvals ends; null for one that never waited. */
  waits_until: instantSchema.nullable(),
  summary: z.string(),
  /** The name of the lease that the plan holds while it is carried out, mostly an endpoint's. */
  lease_name: z.string(),
});
export type OpenOperation = z.infer<typeof operationRow>;

const outboxRow = z.strictObject({
  waiting: z.int(),
  oldest: instantSchema.nullable(),
  last_error: z.string().nullable(),
});
export type OutboxBacklog = z.infer<typeof outboxRow>;

const workerRow = z.strictObject({ worker: z.string(), seen_at: instantSchema, seconds_ago: z.number() });
export type SeenWorker = z.infer<typeof workerRow>;

const installationRow = z.strictObject({ kind: z.enum(["standard", "demo"]) });

const restartRow = restartsSchema.extend({ deployment_id: z.string() });
export type WaitingRestart = z.infer<typeof restartRow>;

/** Readings for operators, which no action needs. */
export class PostgresOverview {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  /** Leases in force, by name. */
  async leases(): Promise<HeldLease[]> {
    return this.#database.query(
      leaseRow,
      `select name, holder, acquired_at as since, expires_at from ml_leases
       where not released and expires_at > clock_timestamp() order by name`,
    );
  }

  /** Begun or waiting for an approval, oldest first. */
  async openOperations(): Promise<OpenOperation[]> {
    return this.#database.query(
      operationRow,
      `select operation_id, action, status, requested_by, created_at, waits_until, plan ->> 'summary' as summary,
         plan ->> 'lease_name' as lease_name
       from ml_operations where finished_at is null and status <> 'claimed' order by created_at`,
    );
  }

  /** Messages that wait for the registry and the memories; each sink tells of its own notices. */
  async outbox(): Promise<OutboxBacklog> {
    const [row] = await this.#database.query(
      outboxRow,
      `select count(*) as waiting, min(created_at) as oldest,
         (array_agg(last_error order by next_attempt_at desc) filter (where last_error is not null))[1] as last_error
       from ml_outbox where delivered_at is null and topic <> 'notify'`,
    );
    return row ?? { waiting: 0, oldest: null, last_error: null };
  }

  /** The kind of installation that the database was made as, for ever. */
  async installation(): Promise<"standard" | "demo"> {
    const [row] = await this.#database.query(installationRow, "select kind from ml_installation");
    return row?.kind ?? "standard";
  }

  /** By id. */
  async experiments(): Promise<Experiment[]> {
    const columns = Object.keys(experimentSchema.omit({ criteria: true }).shape).join(", ");
    return this.#database.query(
      experimentSchema,
      `select ${columns} from ml_experiments order by experiment_id`,
    );
  }

  /** The last change that the router acknowledged, with the figures of that moment. */
  async lastTrafficChange(endpointName: string): Promise<TrafficChange | null> {
    const [change] = await this.#database.query(
      trafficChangeSchema,
      `select occurred_at, changed_by, reason, metrics from ml_traffic_history
       where endpoint_name = $1 order by occurred_at desc, generation desc limit 1`,
      [endpointName],
    );
    return change ?? null;
  }

  /** Servers whose last restart failed, with the time of the next attempt. */
  async restarts(): Promise<WaitingRestart[]> {
    return this.#database.query(
      restartRow,
      `select deployment_id, failures, last_error, next_try_at, next_try_at <= clock_timestamp() as is_due
       from ml_server_restarts where failures > 0 order by deployment_id`,
    );
  }

  /** Workers that have not ended, the last seen first. */
  async workers(): Promise<SeenWorker[]> {
    return this.#database.query(
      workerRow,
      `select worker, seen_at, extract(epoch from clock_timestamp() - seen_at)::float8 as seconds_ago
       from ml_workers where ended_at is null order by seen_at desc limit 20`,
    );
  }
}

/** Records that a worker runs, and its end. */
export class PostgresWorkers {
  readonly #database: SqlDatabase;
  readonly #worker: string;

  constructor(database: SqlDatabase, worker: string) {
    this.#database = database;
    this.#worker = worker;
  }

  async seen(): Promise<void> {
    await this.#database.query(
      anyRow,
      `insert into ml_workers (worker) values ($1)
       on conflict (worker) do update set seen_at = clock_timestamp(), ended_at = null`,
      [this.#worker],
    );
  }

  async ended(): Promise<void> {
    await this.#database.query(
      anyRow,
      "update ml_workers set ended_at = clock_timestamp() where worker = $1",
      [this.#worker],
    );
  }
}
