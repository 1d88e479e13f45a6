import { z } from "zod";
import {
  type KeptRow,
  keptRowSchema,
  keptRowSettingsSchema,
} from "../../../agents/model_deployer/domain/evidence/kept_rows.ts";
import type {
  CollectedRows,
  KeptRowStore,
  RowKeepingEndpoint,
} from "../../../agents/model_deployer/ports/evidence/row_ports.ts";
import type { LogPositions } from "../../../agents/model_deployer/ports/evidence/shadow_ports.ts";
import type { SqlDatabase } from "../../connection/pool.ts";
import { json } from "../../rows.ts";
import { anyRow, type Transaction } from "../../connection/transaction.ts";

const KEPT_DAYS = 30;
const positionsRow = z.strictObject({ positions: z.record(z.string(), z.string()) });
const endpointRow = z.strictObject({
  endpoint_name: z.string(),
  deployment_ids: z.array(z.string()),
  settings: keptRowSettingsSchema.nullable(),
});

/** Rows and their answers; a row that goes takes its answers with it. */
export class PostgresKeptRows implements KeptRowStore {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  async endpoints(): Promise<RowKeepingEndpoint[]> {
    return this.#database.query(
      endpointRow,
      `select e.endpoint_name, p.kept_rows as settings, array(
         select w.key from jsonb_each(e.weights) w union select e.mirror_deployment_id
         where e.mirror_deployment_id is not null
       ) as deployment_ids
       from ml_endpoints e left join lateral (
         select kept_rows from ml_gate_policies g where g.experiment_id = e.experiment_id
         order by sequence desc limit 1
       ) p on true
       where p.kept_rows is not null or exists (select from ml_row_logs l where l.endpoint_name = e.endpoint_name)
       order by e.endpoint_name`,
    );
  }

  async positions(endpointName: string): Promise<LogPositions> {
    const [row] = await this.#database.query(
      positionsRow,
      "select positions from ml_row_logs where endpoint_name = $1",
      [endpointName],
    );
    return row?.positions ?? {};
  }

  async collect(endpointName: string, { from, to, rows, most, hashes }: CollectedRows): Promise<void> {
    await this.#database.transaction(async (tx) => {
      if (!(await readOn(tx, endpointName, { from, to }))) return;
      await insertRows(tx, endpointName, rows, hashes);
      await discard(tx, endpointName, most);
    });
  }

  async list(endpointName: string, { limit }: { limit: number }): Promise<KeptRow[]> {
    return this.#database.query(
      keptRowSchema,
      `select r.request_id, r.path, r.input, coalesce((
         select jsonb_agg(jsonb_build_object('deployment_id', a.deployment_id, 'prediction', a.prediction,
           'score', a.score, 'has_failed', a.has_failed, 'answered_at', a.answered_at) order by a.answered_at)
         from ml_row_answers a where (a.endpoint_name, a.request_id) = (r.endpoint_name, r.request_id)
       ), '[]') as answers
       from ml_kept_rows r where r.endpoint_name = $1 order by r.kept_at desc, r.request_id limit $2`,
      [endpointName, limit],
    );
  }

  async forget(endpointName: string): Promise<void> {
    await this.#database.transaction(async (tx) => {
      await tx.query(anyRow, "delete from ml_kept_rows where endpoint_name = $1", [endpointName]);
      await tx.query(anyRow, "delete from ml_row_logs where endpoint_name = $1", [endpointName]);
    });
  }
}

/** False where the rows up to `to` have been collected by somebody else. */
async function readOn(
  tx: Transaction,
  endpointName: string,
  { from, to }: Pick<CollectedRows, "from" | "to">,
): Promise<boolean> {
  await tx.query(anyRow, "insert into ml_row_logs (endpoint_name) values ($1) on conflict do nothing", [
    endpointName,
  ]);
  const [log] = await tx.query(
    positionsRow,
    "select positions from ml_row_logs where endpoint_name = $1 for update",
    [endpointName],
  );
  const known = log?.positions ?? {};
  if (Object.keys({ ...known, ...from }).some((id) => known[id] !== from[id])) return false;
  await tx.query(anyRow, "update ml_row_logs set positions = $2 where endpoint_name = $1", [
    endpointName,
    json({ ...from, ...to }),
  ]);
  return true;
}

/**
 * Callers choose the ids, so that an answer to another input is none of the kept row's; hashed inputs are told apart by
 * their paths alone, since the servers' keys differ.
 */
async function insertRows(
  tx: Transaction,
  endpointName: string,
  rows: CollectedRows["rows"],
  hashes: boolean,
): Promise<void> {
  await tx.query(
    anyRow,
    `with given as (
       select * from jsonb_to_recordset($2::jsonb) as g (request_id text, path text, input jsonb, answers jsonb)
     ), kept as (
       insert into ml_kept_rows (endpoint_name, request_id, path, input)
       select distinct on (request_id) $1, request_id, path, input from given on conflict do nothing
     )
     select 1`,
    [endpointName, json(rows)],
  );
  await tx.query(
    anyRow,
    `insert into ml_row_answers
       (endpoint_name, request_id, deployment_id, prediction, score, has_failed, answered_at)
     select distinct on (g.request_id, a.deployment_id) $1, g.request_id, a.deployment_id, a.prediction, a.score,
       a.has_failed, a.answered_at
     from jsonb_to_recordset($2::jsonb) as g (request_id text, path text, input jsonb, answers jsonb)
       join ml_kept_rows r on (r.endpoint_name, r.request_id, r.path) = ($1, g.request_id, g.path)
         and ($3 or r.input = g.input),
       jsonb_to_recordset(g.answers) as a
         (deployment_id text, prediction jsonb, score float8, has_failed boolean, answered_at timestamptz)
     order by g.request_id, a.deployment_id, a.answered_at
     on conflict do nothing`,
    [endpointName, json(rows), hashes],
  );
}

/** Rows beyond the newest so many, and those that are too old. */
async function discard(tx: Transaction, endpointName: string, most: number): Promise<void> {
  await tx.query(
    anyRow,
    `delete from ml_kept_rows where endpoint_name = $1 and (
       kept_at < clock_timestamp() - make_interval(days => $3) or request_id in (
         select request_id from ml_kept_rows where endpoint_name = $1
         order by kept_at desc, request_id offset $2
       )
     )`,
    [endpointName, most, KEPT_DAYS],
  );
}
