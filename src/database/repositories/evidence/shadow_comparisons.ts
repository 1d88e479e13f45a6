import { z } from "zod";
import { compare } from "../../../agents/model_deployer/judge/evidence/shadow_pairs.ts";
import {
  type ShadowComparison,
  shadowComparisonSchema,
} from "../../../agents/model_deployer/domain/evidence/shadow_comparison.ts";
import type {
  CollectedPredictions,
  LogPositions,
  ShadowComparisonStore,
} from "../../../agents/model_deployer/ports/evidence/shadow_ports.ts";
import type { SqlDatabase } from "../../connection/pool.ts";
import { anyRow, type Queries } from "../../connection/transaction.ts";
import { json } from "../../rows.ts";

const comparisonColumns = shadowComparisonSchema.keyof().options.join(", ");
const positionsRow = z.strictObject({ positions: z.record(z.string(), z.string()) });
const storedRow = z.strictObject({ ...shadowComparisonSchema.shape, ...positionsRow.shape });
const predicted = { prediction: z.unknown(), score: z.number().nullable() };
const countRow = z.strictObject({ count: z.int() });
const pairRow = z.strictObject({ shadow: z.strictObject(predicted), production: z.strictObject(predicted) });

/** How far apart two lines of one request may come and still be paired. */
const WAIT_SECONDS = 600;
/** Of one shadow: what it waits for takes 50 MB at most, however many requests come. */
const MOST_LINES = 100_000;
/** The copy of a request begins when the request does; of two that begin further apart one has another's id. */
const APART_SECONDS = 30;

/**
 * Pairs are made where the lines are kept, in the transaction that notes how far the logs were read: a line that is read
 * twice, or by two collectors at once, is compared once.
 */
export class PostgresShadowComparisons implements ShadowComparisonStore {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  async positions(shadowId: string): Promise<LogPositions> {
    const [row] = await this.#database.query(
      positionsRow,
      "select positions from ml_shadow_comparisons where deployment_id = $1",
      [shadowId],
    );
    return row?.positions ?? {};
  }

  async collect(shadowId: string, collected: CollectedPredictions): Promise<void> {
    await this.#database.transaction(async (tx) => {
      await tx.query(
        anyRow,
        "insert into ml_shadow_comparisons (deployment_id) values ($1) on conflict do nothing",
        [shadowId],
      );
      const [stored] = await tx.query(
        storedRow,
        `select ${comparisonColumns}, positions from ml_shadow_comparisons where deployment_id = $1 for update`,
        [shadowId],
      );
      if (stored === undefined || !isSame(stored.positions, collected.from)) return;
      const repeated = await keep(tx, shadowId, collected);
      const { positions: _before, ...before } = stored;
      const compared = compare(before, await takePairs(tx, shadowId));
      const after = { ...compared, repeated_ids: compared.repeated_ids + repeated };
      await write(tx, shadowId, after, { ...collected.from, ...collected.to });
    });
  }

  async read(shadowId: string): Promise<ShadowComparison | null> {
    const [comparison] = await this.#database.query(
      shadowComparisonSchema,
      `select ${comparisonColumns} from ml_shadow_comparisons where deployment_id = $1`,
      [shadowId],
    );
    return comparison ?? null;
  }

  async forget(): Promise<void> {
    await this.#database.query(
      anyRow,
      `with crowded as materialized (
         select shadow_id, (
           select u.read_at from ml_unpaired_predictions u where u.shadow_id = s.shadow_id
           order by u.read_at desc offset $2 limit 1
         ) as until
         from ml_unpaired_predictions s group by shadow_id having count(*) > $2
       )
       delete from ml_unpaired_predictions u
       where read_at < clock_timestamp() - make_interval(secs => $1)
         or read_at <= (select until from crowded c where c.shadow_id = u.shadow_id)`,
      [WAIT_SECONDS, MOST_LINES],
    );
  }
}

const isSame = (a: LogPositions, b: LogPositions): boolean =>
  [...new Set([...Object.keys(a), ...Object.keys(b)])].every((key) => a[key] === b[key]);

/**
 * A caller may give several requests one id, and their lines are read at different moments: which of them belong together
 * nobody can tell, so that none of those makes a pair.
 * @returns how many lines had an id that another line of their side had
 */
async function keep(tx: Queries, shadowId: string, { predictions }: CollectedPredictions): Promise<number> {
  const [counted] = await tx.query(
    countRow,
    `with given as (
       select p.*, row_number() over same as place, count(*) over (partition by p.side, p.request_id) > 1 as is_repeated
       from jsonb_to_recordset($2::jsonb) as p
         (side text, request_id text, prediction jsonb, score float8, answered_at timestamptz)
       window same as (partition by p.side, p.request_id order by p.answered_at)
     ), kept as (
       insert into ml_unpaired_predictions as u
         (shadow_id, side, request_id, prediction, score, answered_at, is_repeated)
       select $1, side, request_id, prediction, score, answered_at, is_repeated from given g
       where place = 1 and not exists (
         select from ml_unpaired_predictions t
         where t.shadow_id = $1 and t.request_id = g.request_id and t.paired_at is not null
       )
       on conflict (shadow_id, side, request_id) do update set is_repeated = true
       returning xmax = 0 as is_new
     )
     select (select count(*) from given) - (select count(*) from kept where is_new) as count`,
    [shadowId, json(predictions)],
  );
  return counted?.count ?? 0;
}

async function takePairs(tx: Queries, shadowId: string): Promise<z.infer<typeof pairRow>[]> {
  const pairs = await tx.query(
    pairRow,
    `with paired as (
       select s.request_id, jsonb_build_object('prediction', s.prediction, 'score', s.score) as shadow,
         jsonb_build_object('prediction', p.prediction, 'score', p.score) as production
       from ml_unpaired_predictions s join ml_unpaired_predictions p using (shadow_id, request_id)
       where s.shadow_id = $1 and s.side = 'shadow' and p.side = 'production' and s.paired_at is null
         and not s.is_repeated and not p.is_repeated
         and coalesce(abs(extract(epoch from s.answered_at - p.answered_at)) <= $2, true)
     ), taken as (
       delete from ml_unpaired_predictions u using paired
       where u.shadow_id = $1 and u.side = 'production' and u.request_id = paired.request_id
     ), remembered as (
       update ml_unpaired_predictions u set paired_at = clock_timestamp() from paired
       where u.shadow_id = $1 and u.side = 'shadow' and u.request_id = paired.request_id
     )
     select shadow, production from paired`,
    [shadowId, APART_SECONDS],
  );
  await tx.query(
    anyRow,
    `delete from ml_unpaired_predictions
     where shadow_id = $1 and read_at < clock_timestamp() - make_interval(secs => $2)`,
    [shadowId, WAIT_SECONDS],
  );
  return pairs;
}

async function write(
  tx: Queries,
  shadowId: string,
  comparison: ShadowComparison,
  positions: LogPositions,
): Promise<void> {
  const columns = shadowComparisonSchema.keyof().options;
  await tx.query(
    anyRow,
    `update ml_shadow_comparisons set ${columns.map((column, index) => `${column} = $${index + 3}`).join(", ")},
       positions = $2, collected_at = clock_timestamp()
     where deployment_id = $1`,
    [shadowId, json(positions), ...columns.map((column) => comparison[column])],
  );
}
