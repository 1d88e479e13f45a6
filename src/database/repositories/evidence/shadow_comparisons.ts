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
} from "../../../agents/model_deployer/ports/shadow_ports.ts";
import type { SqlDatabase } from "../../connection/pool.ts";
import { anyRow, type Queries } from "../../connection/transaction.ts";
import { json } from "../../rows.ts";

const comparisonColumns = shadowComparisonSchema.keyof().options.join(", ");
const positionsRow = z.strictObject({ positions: z.record(z.string(), z.string()) });
const storedRow = z.strictObject({ ...shadowComparisonSchema.shape, ...positionsRow.shape });
const predicted = { prediction: z.unknown(), score: z.number().nullable() };
const pairRow = z.strictObject({ shadow: z.strictObject(predicted), production: z.strictObject(predicted) });

/** How far apart two lines of one request may come and still be paired. */
const WAIT_SECONDS = 600;

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
      await keep(tx, shadowId, collected);
      const { positions: _before, ...before } = stored;
      const after = compare(before, await takePairs(tx, shadowId));
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
}

const isSame = (a: LogPositions, b: LogPositions): boolean =>
  [...new Set([...Object.keys(a), ...Object.keys(b)])].every((key) => a[key] === b[key]);

async function keep(tx: Queries, shadowId: string, { predictions }: CollectedPredictions): Promise<void> {
  await tx.query(
    anyRow,
    `insert into ml_unpaired_predictions (shadow_id, side, request_id, prediction, score)
     select $1, p.side, p.request_id, p.prediction, p.score
     from jsonb_to_recordset($2::jsonb) as p (side text, request_id text, prediction jsonb, score float8)
     on conflict do nothing`,
    [shadowId, json(predictions)],
  );
}

async function takePairs(tx: Queries, shadowId: string): Promise<z.infer<typeof pairRow>[]> {
  const pairs = await tx.query(
    pairRow,
    `with paired as (
       select s.request_id, jsonb_build_object('prediction', s.prediction, 'score', s.score) as shadow,
         jsonb_build_object('prediction', p.prediction, 'score', p.score) as production
       from ml_unpaired_predictions s join ml_unpaired_predictions p using (shadow_id, request_id)
       where s.shadow_id = $1 and s.side = 'shadow' and p.side = 'production'
     ), taken as (
       delete from ml_unpaired_predictions u using paired
       where u.shadow_id = $1 and u.request_id = paired.request_id
     )
     select shadow, production from paired`,
    [shadowId],
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
