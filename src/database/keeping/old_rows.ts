import { z } from "zod";
import type { OldRows, PrunableRows } from "../../keeping/prunable_store.ts";
import type { SqlDatabase } from "../connection/pool.ts";

const rolloutRow = z.strictObject({ rollout_id: z.string() });

interface OldTable {
  name: string;
  /** SQL for rows that were of no use any more at `$1`. */
  where: string;
}

const ENDED = (table: string) => `exists (select from ml_rollouts r where r.rollout_id = ${table}.rollout_id
  and r.status not in ('running', 'paused') and r.updated_at < $1
  and (r.watched_until is null or r.watched_until < $1))`;

/**
 * Rows kept to look at a rollout again, and rows that nothing will read again, delivered messages among them. History, operations, approvals, figures
 * and evidence are none of it.
 */
const TABLES: readonly OldTable[] = [
  { name: "ml_rollout_looks", where: ENDED("ml_rollout_looks") },
  { name: "ml_verdict_history", where: ENDED("ml_verdict_history") },
  { name: "ml_answers", where: "read_at < $1" },
  { name: "ml_outcomes", where: "recorded_at < $1" },
  { name: "ml_unpaired_predictions", where: "read_at < $1" },
  {
    name: "ml_outbox",
    where:
      "delivered_at is not null and created_at < least($1::timestamptz, clock_timestamp() - interval '1 day')",
  },
  { name: "ml_answered_requests", where: "claimed_at < $1" },
  { name: "ml_workers", where: "greatest(seen_at, ended_at) < $1" },
];

const countRow = z.strictObject({ rows: z.int(), bytes: z.int() });
const removedRow = z.strictObject({ rows: z.int() });
/** Rows of one statement, so that none holds its locks for long. */
const BATCH = 5000;

export class PostgresOldRows implements PrunableRows {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  async count(before: string): Promise<OldRows[]> {
    const counted: OldRows[] = [];
    for (const { name, where } of TABLES) {
      const [row] = await this.#database.query(
        countRow,
        `select count(*)::int as rows, coalesce(sum(pg_column_size(${name}.*)), 0)::float8 as bytes
         from ${name} where ${where}`,
        [before],
      );
      if (row !== undefined) counted.push({ name, ...row });
    }
    return counted;
  }

  async remove(before: string): Promise<OldRows[]> {
    const removed: OldRows[] = [];
    for (const table of TABLES) {
      removed.push({ name: table.name, rows: await this.#removeAll(table, before), bytes: null });
    }
    return removed;
  }

  /** Rollouts that ended before, oldest first. */
  async endedRollouts(before: string): Promise<string[]> {
    const rows = await this.#database.query(
      rolloutRow,
      `select rollout_id from ml_rollouts where status not in ('running', 'paused') and updated_at < $1
         and (watched_until is null or watched_until < $1) order by updated_at`,
      [before],
    );
    return rows.map(({ rollout_id }) => rollout_id);
  }

  async #removeAll({ name, where }: OldTable, before: string): Promise<number> {
    let total = 0;
    for (;;) {
      const [row] = await this.#database.query(
        removedRow,
        `with gone as (
           delete from ${name} where ctid = any (array(select ctid from ${name} where ${where} limit ${BATCH}))
           returning 1
         ) select count(*)::int as rows from gone`,
        [before],
      );
      total += row?.rows ?? 0;
      if ((row?.rows ?? 0) < BATCH) return total;
    }
  }
}
