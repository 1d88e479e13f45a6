import { auditOutcomes } from "../people/acting_as.ts";
import { z } from "zod";
import {
  type OutcomeEvidence,
  outcomeEvidenceSchema,
  type OutcomeSettings,
  type RecordedOutcomes,
  stretchOfRouteSchema,
  type ToldOutcome,
} from "../../../agents/model_deployer/domain/evidence/late_outcomes.ts";
import { NotFoundError } from "../../../agents/model_deployer/errors.ts";
import type {
  CollectedAnswers,
  ComparedAnswers,
  OutcomeStore,
  ReadAnswers,
} from "../../../agents/model_deployer/ports/evidence/outcome_ports.ts";
import type { SqlDatabase } from "../../connection/pool.ts";
import { json } from "../../rows.ts";
import { anyRow, type Queries } from "../../connection/transaction.ts";
import { compareJoined } from "./joined_outcomes.ts";
import { countsOf, insertOutcomes } from "./told_outcomes.ts";

const comparisonRow = z.strictObject({ evidence: outcomeEvidenceSchema });

/** How long answers and outcomes wait for each other, and how many of them. */
const KEPT_DAYS = 30;
const KEPT_ANSWERS = 200_000;
const KEPT_OUTCOMES = 1_000_000;
/** Old rows are looked for each time so many more answers were read. */
const TRIM_EVERY = 5000;

const logRow = z.strictObject({
  positions: z.record(z.string(), z.string()),
  stretches: z.array(stretchOfRouteSchema),
  repeated_ids: z.int(),
  read_answers: z.int(),
});
const logColumns = logRow.keyof().options.join(", ");
const keptRow = z.strictObject({ repeated: z.int() });
const countRow = z.strictObject({ count: z.int() });

/** Answers and outcomes are joined where they are kept, so that each pair is compared once, whoever comes first. */
export class PostgresOutcomes implements OutcomeStore {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  async record(
    outcomes: readonly ToldOutcome[],
    told: Parameters<OutcomeStore["record"]>[1],
  ): Promise<RecordedOutcomes> {
    if (outcomes.length === 0) return countsOf([]);
    return this.#database.transaction(async (tx) => {
      const rows = await insertOutcomes(tx, outcomes, told);
      await tx.query(
        anyRow,
        `delete from ml_outcomes where recorded_at < clock_timestamp() - make_interval(days => $1)
           or recorded_at < (select recorded_at from ml_outcomes order by recorded_at desc offset $2 limit 1)`,
        [KEPT_DAYS, KEPT_OUTCOMES],
      );
      const counts = countsOf(rows);
      await auditOutcomes(tx, told, counts);
      return counts;
    });
  }

  async reading(endpointName: string): Promise<ReadAnswers> {
    const [log] = await this.#database.query(
      logRow,
      `select ${logColumns} from ml_answer_logs where endpoint_name = $1`,
      [endpointName],
    );
    if (log === undefined) {
      await requireEndpoint(this.#database, endpointName);
      return { positions: {}, stretches: [], repeated_ids: 0, kept: 0 };
    }
    const { read_answers: _, ...read } = log;
    const [kept] = await this.#database.query(
      countRow,
      "select count(*) as count from ml_answers where endpoint_name = $1",
      [endpointName],
    );
    return { ...read, kept: kept?.count ?? 0 };
  }

  async collect(endpointName: string, collected: CollectedAnswers): Promise<void> {
    await this.#database.transaction(async (tx) => {
      await tx.query(
        anyRow,
        "insert into ml_answer_logs (endpoint_name) values ($1) on conflict do nothing",
        [endpointName],
      );
      const [log] = await tx.query(
        logRow,
        `select ${logColumns} from ml_answer_logs where endpoint_name = $1 for update`,
        [endpointName],
      );
      if (log === undefined || !isSame(log.positions, collected.from)) return;
      const repeated = await keepAnswers(tx, endpointName, collected.answers);
      const read = log.read_answers + collected.answers.length;
      await tx.query(
        anyRow,
        `update ml_answer_logs set positions = $2, stretches = $3, repeated_ids = repeated_ids + $4,
           read_answers = $5 where endpoint_name = $1`,
        [
          endpointName,
          json({ ...collected.from, ...collected.to }),
          json(collected.stretches),
          repeated,
          read,
        ],
      );
      const isTimeToTrim = Math.floor(read / TRIM_EVERY) > Math.floor(log.read_answers / TRIM_EVERY);
      if (isTimeToTrim) await trim(tx, endpointName);
    });
  }

  async compare(
    compared: ComparedAnswers,
    options: { settings: OutcomeSettings; settled_before: string },
  ): Promise<OutcomeEvidence> {
    return this.#database.transaction((tx) => compareJoined(tx, compared, options));
  }

  async read(subject: string): Promise<OutcomeEvidence | null> {
    const [row] = await this.#database.query(
      comparisonRow,
      "select evidence from ml_outcome_comparisons where subject = $1",
      [subject],
    );
    return row?.evidence ?? null;
  }
}

async function requireEndpoint(database: SqlDatabase, endpointName: string): Promise<void> {
  const found = await database.query(anyRow, "select 1 from ml_endpoints where endpoint_name = $1", [
    endpointName,
  ]);
  if (found.length === 0) throw new NotFoundError(`Endpoint ${endpointName} does not exist.`);
}

const isSame = (a: Record<string, string>, b: Record<string, string>): boolean =>
  [...new Set([...Object.keys(a), ...Object.keys(b)])].every((key) => a[key] === b[key]);

/**
 * Of several requests with one id the first counts: whether a later one comes may depend on what the first was answered.
 * @returns how many had an id that another request had
 */
async function keepAnswers(
  tx: Queries,
  endpointName: string,
  answers: CollectedAnswers["answers"],
): Promise<number> {
  if (answers.length === 0) return 0;
  const [counted] = await tx.query(
    keptRow,
    `with given as (
       select g.* from jsonb_to_recordset($2::jsonb) as g (
         request_id text, is_mirrored boolean, deployment_id text, prediction jsonb, score float8,
         has_failed boolean, answered_at timestamptz
       )
     ), first as (
       select distinct on (request_id, is_mirrored) * from given order by request_id, is_mirrored, answered_at
     ), known as (
       select f.request_id from first f join ml_answers a
         on a.endpoint_name = $1 and a.request_id = f.request_id and a.is_mirrored = f.is_mirrored
       where (a.deployment_id, a.answered_at) is distinct from (f.deployment_id, f.answered_at)
     ), kept as (
       insert into ml_answers as a
         (endpoint_name, request_id, is_mirrored, deployment_id, prediction, score, has_failed, answered_at)
       select $1, request_id, is_mirrored, deployment_id, prediction, score, has_failed, answered_at from first
       on conflict (endpoint_name, request_id, is_mirrored) do update set deployment_id = excluded.deployment_id,
         prediction = excluded.prediction, score = excluded.score, has_failed = excluded.has_failed,
         answered_at = excluded.answered_at
       where a.compared_at is null and excluded.answered_at < a.answered_at
     )
     select (select count(*) from given) - (select count(*) from first) + (select count(*) from known) as repeated`,
    [endpointName, json(answers)],
  );
  return counted?.repeated ?? 0;
}

async function trim(tx: Queries, endpointName: string): Promise<void> {
  await tx.query(
    anyRow,
    `delete from ml_answers where endpoint_name = $1 and (
       read_at < clock_timestamp() - make_interval(days => $2) or read_at < (
         select read_at from ml_answers where endpoint_name = $1 order by read_at desc offset $3 limit 1
       )
     )`,
    [endpointName, KEPT_DAYS, KEPT_ANSWERS],
  );
}
