import { z } from "zod";
import type { SqlDatabase } from "../../connection/pool.ts";

const countsSchema = z.array(z.strictObject({ labels: z.array(z.string()), count: z.int() }));

const figuresSchema = z.strictObject({
  /** By status. */
  rollouts: countsSchema,
  /** Open rollouts, by the outcome of their last look. */
  verdicts: countsSchema,
  /** By action and status. */
  operations: countsSchema,
  /** Undelivered, by topic. */
  outbox: countsSchema,
  /** Seconds for which the most overdue rollout has waited for its look. */
  lag_seconds: z.number(),
  /** Endpoints whose router has not acknowledged what the database wants. */
  unobserved_endpoints: z.int(),
});
export type Figures = z.infer<typeof figuresSchema>;

const counts = (labels: string, from: string) =>
  `(select coalesce(json_agg(json_build_object('labels', labels, 'count', count)), '[]') from
     (select array[${labels}] as labels, count(*) as count from ${from} group by 1) as counted)`;

/** Figures of all workers together, in one query. */
export async function readFigures(database: SqlDatabase): Promise<Figures> {
  const [row] = await database.query(
    figuresSchema,
    `select ${counts("status::text", "ml_rollouts")} as rollouts,
       ${counts("verdict->>'outcome'", "ml_rollouts where status in ('running', 'paused') and verdict is not null")} as verdicts,
       ${counts("action, status::text", "ml_operations")} as operations,
       ${counts("topic::text", "ml_outbox where delivered_at is null")} as outbox,
       coalesce((select extract(epoch from max(clock_timestamp() - next_tick_at)) from ml_rollouts
         where next_tick_at < clock_timestamp()), 0) as lag_seconds,
       (select count(*) from ml_endpoints where observed_generation <> generation) as unobserved_endpoints`,
  );
  return figuresSchema.parse(row);
}
