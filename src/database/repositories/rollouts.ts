import type { ChangeOf } from "../../agents/model_deployer/domain/changes.ts";
import { rolloutSchema, type Rollout } from "../../agents/model_deployer/domain/traffic/rollout.ts";
import type { Rollouts } from "../../agents/model_deployer/ports/stores/entity_stores.ts";
import { moveRollout } from "../changes/rollout_changes.ts";
import { batched } from "../connection/batched.ts";
import type { SqlDatabase } from "../connection/pool.ts";
import { anyRow } from "../connection/transaction.ts";
import { idRow, json, rolloutColumns } from "../rows.ts";

export class PostgresRollouts implements Rollouts {
  readonly #database: SqlDatabase;
  readonly #holds = batched((changes: readonly ChangeOf<"move_rollout">[]) => this.#holdAll(changes));

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  async get(rolloutId: string): Promise<Rollout | null> {
    return this.#first("r.rollout_id = $1", rolloutId);
  }

  async getOpen(endpointName: string): Promise<Rollout | null> {
    return this.#first("r.endpoint_name = $1 and r.status in ('running', 'paused')", endpointName);
  }

  /** Takes the most overdue first, and skips those that another worker has locked or claimed. */
  async claimDue(options: { limit: number; claim_seconds: number }): Promise<Rollout[]> {
    return this.#database.query(
      rolloutSchema,
      `with due as (
         select o.rollout_id from ml_rollouts o
         where o.next_tick_at <= clock_timestamp()
           and (o.claimed_until is null or o.claimed_until <= clock_timestamp())
           and not exists (
             select from ml_operations p where p.lease_name = o.endpoint_name and p.action in ('rollback', 'abort')
               and p.status in ('planned', 'carrying_out') and p.finished_at is null
           )
         order by o.next_tick_at limit $1 for update skip locked
       )
       update ml_rollouts r set claimed_until = clock_timestamp() + make_interval(secs => $2)
       from due where r.rollout_id = due.rollout_id
       returning ${rolloutColumns}`,
      [options.limit, options.claim_seconds],
    );
  }

  async release(rolloutId: string, options: { retry_seconds: number }): Promise<void> {
    await this.#database.query(
      anyRow,
      `update ml_rollouts set claimed_until = null,
         next_tick_at = case when next_tick_at is not null
           then greatest(next_tick_at, clock_timestamp() + make_interval(secs => $2)) end
       where rollout_id = $1`,
      [rolloutId, options.retry_seconds],
    );
  }

  async hold(change: ChangeOf<"move_rollout">): Promise<void> {
    const isPlain = change.pause === undefined && change.event === undefined;
    if (isPlain && (await this.#holds.load(change))) return;
    // The change is tried alone once more, so that its own conflict is raised to the caller whose change lost.
    await this.#database.transaction((tx) => moveRollout(tx, change, null));
  }

  async #holdAll(changes: readonly ChangeOf<"move_rollout">[]): Promise<boolean[]> {
    const held = await this.#database.query(
      idRow,
      `with c as (
         select * from jsonb_to_recordset($1::jsonb) as c (
           rollout_id text, expected_step_index integer, expected_status jsonb, status text, step_index integer,
           step_started_at timestamptz, next_tick_at timestamptz, inconclusive_looks integer, judge_state jsonb,
           verdict jsonb, watched_until timestamptz, look jsonb
         )
       ), held as (
       update ml_rollouts r set status = c.status, step_index = c.step_index,
         step_started_at = coalesce(c.step_started_at, r.step_started_at), next_tick_at = c.next_tick_at,
         inconclusive_looks = c.inconclusive_looks, judge_state = c.judge_state, verdict = nullif(c.verdict, 'null'),
         watched_until = coalesce(c.watched_until, r.watched_until), claimed_until = null,
         updated_at = clock_timestamp()
       from c
       where r.rollout_id = c.rollout_id and r.step_index = c.expected_step_index and c.expected_status ? r.status
         and r.next_tick_at is not null
       returning r.rollout_id as id
       ), kept as (
         insert into ml_rollout_looks (rollout_id, looked_at, look)
         select c.rollout_id, (c.look ->> 'looked_at')::timestamptz, c.look
         from c join held on held.id = c.rollout_id where jsonb_typeof(c.look) = 'object'
         on conflict do nothing
       )
       select id from held`,
      [json(changes)],
    );
    const ids = new Set(held.map(({ id }) => id));
    return changes.map(({ rollout_id }) => ids.has(rollout_id));
  }

  async #first(condition: string, value: string): Promise<Rollout | null> {
    const [rollout] = await this.#database.query(
      rolloutSchema,
      `select ${rolloutColumns} from ml_rollouts r where ${condition}`,
      [value],
    );
    return rollout ?? null;
  }
}
