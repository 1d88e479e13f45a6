import { z } from "zod";
import {
  type Experiment,
  experimentSchema,
  instantSchema,
  metricsSchema,
} from "../../agents/model_deployer/domain/entities.ts";
import { anyRow, type Database } from "../pool.ts";

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
  status: z.enum(["planned", "awaiting_approval", "carrying_out"]),
  requested_by: z.string(),
  created_at: instantSchema,
  summary: z.string(),
  /** What the plan holds while it is carried out: mostly an endpoint's name. */
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

const changeRow = z.strictObject({
  occurred_at: instantSchema,
  changed_by: z.string(),
  reason: z.string(),
  metrics: metricsSchema,
});
export type TrafficChange = z.infer<typeof changeRow>;

/** What an operator wants to see that no action needs to know. */
export class PostgresOverview {
  readonly #database: Database;

  constructor(database: Database) {
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
      `select operation_id, action, status, requested_by, created_at, plan ->> 'summary' as summary,
         plan ->> 'lease_name' as lease_name
       from ml_operations where finished_at is null and status <> 'claimed' order by created_at`,
    );
  }

  async outbox(): Promise<OutboxBacklog> {
    const [row] = await this.#database.query(
      outboxRow,
      `select count(*) as waiting, min(created_at) as oldest,
         (array_agg(last_error order by next_attempt_at desc) filter (where last_error is not null))[1] as last_error
       from ml_outbox where delivered_at is null`,
    );
    return row ?? { waiting: 0, oldest: null, last_error: null };
  }

  /** By id. */
  async experiments(): Promise<Experiment[]> {
    const columns = Object.keys(experimentSchema.shape).join(", ");
    return this.#database.query(
      experimentSchema,
      `select ${columns} from ml_experiments order by experiment_id`,
    );
  }

  /** The one that the router has acknowledged last, with its figures of that moment. */
  async lastTrafficChange(endpointName: string): Promise<TrafficChange | null> {
    const [change] = await this.#database.query(
      changeRow,
      `select occurred_at, changed_by, reason, metrics from ml_traffic_history
       where endpoint_name = $1 order by occurred_at desc, generation desc limit 1`,
      [endpointName],
    );
    return change ?? null;
  }

  /** Those that have not ended, the last seen first. */
  async workers(): Promise<SeenWorker[]> {
    return this.#database.query(
      workerRow,
      `select worker, seen_at, extract(epoch from clock_timestamp() - seen_at)::float8 as seconds_ago
       from ml_workers where ended_at is null order by seen_at desc limit 20`,
    );
  }
}

/** Tells that a worker is there, and at its end that it has gone. */
export class PostgresWorkers {
  readonly #database: Database;
  readonly #worker: string;

  constructor(database: Database, worker: string) {
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
