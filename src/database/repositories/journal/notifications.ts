import { z } from "zod";
import { instantSchema } from "../../../agents/model_deployer/domain/entities.ts";
import { type NewNotice, noticeSchema } from "../../../agents/model_deployer/domain/notices/notices.ts";
import { sendableSinkSchema } from "../../../agents/model_deployer/domain/notices/notification_sinks.ts";
import type {
  DueNotice,
  FailedDelivery,
  FailingSink,
  LongWaiting,
  Notifications,
} from "../../../agents/model_deployer/ports/notification_ports.ts";
import { tellSinks } from "../../changes/notice_changes.ts";
import type { SqlDatabase } from "../../connection/pool.ts";
import { anyRow } from "../../connection/transaction.ts";
import { delayAfter, VISIBILITY_SECONDS } from "./redelivery.ts";

const dueRow: z.ZodType<DueNotice> = z.strictObject({
  entry_id: z.string(),
  sink: sendableSinkSchema,
  notice: noticeSchema,
  attempts: z.int(),
});

const approvalRow = z.strictObject({
  operation_id: z.string(),
  summary: z.string(),
  requested_by: z.string(),
  waits_until: instantSchema,
});

const rolloutRow = z.strictObject({
  rollout_id: z.string(),
  endpoint_name: z.string(),
  experiment_id: z.string(),
  step_index: z.int(),
  step_started_at: instantSchema,
  reason: z.string(),
  minutes: z.int(),
});

/** A step that lasts this long, and three times its bake time, without a verdict is told of. */
const LONG_MINUTES = 30;
const MOST = 100;

const failingRow = z.strictObject({
  failing_since: instantSchema,
  failures: z.int(),
  set_aside_at: instantSchema.nullable(),
});

export class PostgresNotifications implements Notifications {
  readonly #database: SqlDatabase;

  constructor(database: SqlDatabase) {
    this.#database = database;
  }

  async tell(notice: NewNotice, options: { except_sink?: string } = {}): Promise<void> {
    const { operation_id } = notice;
    await tellSinks(this.#database, notice, { operation_id, except_sink: options.except_sink ?? null });
  }

  async claim(limit: number, { except_sinks }: { except_sinks: readonly string[] }): Promise<DueNotice[]> {
    return this.#database.query(
      dueRow,
      `with heads as (
         select h.entry_id from ml_notification_sinks s
         cross join lateral (
           select distinct on (lane) entry_id, next_attempt_at from ml_outbox o
           where o.topic = 'notify' and o.sink_name = s.sink_name and o.delivered_at is null and o.set_aside_at is null
           order by lane, entry_id
         ) h
         where s.removed_at is null and s.sink_name <> all ($3) and s.next_attempt_at <= clock_timestamp() and h.next_attempt_at <= clock_timestamp()
         order by h.entry_id limit $1
       ), due as (
         select o.entry_id from ml_outbox o join heads using (entry_id)
         where o.delivered_at is null and o.set_aside_at is null and o.next_attempt_at <= clock_timestamp()
         for update of o skip locked
       ), claimed as (
         update ml_outbox o set attempts = attempts + 1,
           next_attempt_at = clock_timestamp() + make_interval(secs => $2)
         from due where o.entry_id = due.entry_id
         returning o.entry_id, o.sink_name, o.payload, o.attempts
       )
       select c.entry_id::text, c.payload as notice, c.attempts, jsonb_build_object(
         'sink_name', s.sink_name, 'target', s.target, 'secrets', s.secrets, 'may_be_inside', s.may_be_inside
       ) as sink
       from claimed c join ml_notification_sinks s using (sink_name) order by c.entry_id`,
      [limit, VISIBILITY_SECONDS, [...except_sinks]],
    );
  }

  async delivered({ entry_id, sink }: DueNotice): Promise<void> {
    await this.#database.query(
      anyRow,
      `with taken as (
         update ml_outbox set delivered_at = coalesce(delivered_at, clock_timestamp()) where entry_id = $1
       )
       update ml_notification_sinks set failing_since = null, failures = 0, next_attempt_at = '-infinity',
         last_error = null, last_delivered_at = clock_timestamp()
       where sink_name = $2`,
      [entry_id, sink.sink_name],
    );
  }

  async failed(
    { entry_id, sink }: DueNotice,
    { reason, is_away, refusals_allowed }: FailedDelivery,
  ): Promise<FailingSink | null> {
    const [row] = await this.#database.query(
      failingRow,
      `with kept as (
         update ml_outbox set last_error = $3, next_attempt_at =
           clock_timestamp() + case when $4 then interval '0' else ${delayAfter("refusals + 1")} end,
           refusals = refusals + case when $4 then 0 else 1 end,
           set_aside_at = case when not $4 and refusals + 1 >= $5 then clock_timestamp() end
         where entry_id = $1 and delivered_at is null
         returning set_aside_at
       )
       update ml_notification_sinks set failing_since = coalesce(failing_since, clock_timestamp()),
         failures = failures + 1, last_error = $3,
         next_attempt_at = case when $4 then clock_timestamp() + ${delayAfter("failures + 1")} else next_attempt_at end
       where sink_name = $2 and next_attempt_at <= clock_timestamp()
       returning failing_since, failures, (select set_aside_at from kept) as set_aside_at`,
      [entry_id, sink.sink_name, reason, is_away, refusals_allowed],
    );
    return row ?? null;
  }

  async waiting(): Promise<LongWaiting> {
    const [approvals, rollouts] = await Promise.all([
      this.#database.query(
        approvalRow,
        `select operation_id, plan ->> 'summary' as summary, requested_by, waits_until from ml_operations
         where status = 'awaiting_approval' and waits_until > clock_timestamp()
           and waits_until - clock_timestamp() < least(interval '24 hours', (waits_until - created_at) / 4)
         order by waits_until limit ${MOST}`,
      ),
      this.#database.query(
        rolloutRow,
        `select rollout_id, endpoint_name, experiment_id, step_index, step_started_at, verdict ->> 'reason' as reason,
           floor(extract(epoch from clock_timestamp() - step_started_at) / 60)::int as minutes
         from ml_rollouts
         where status = 'running' and verdict ->> 'outcome' = 'inconclusive'
           and clock_timestamp() - step_started_at > greatest(
             interval '${LONG_MINUTES} minutes',
             make_interval(secs => 3 * (steps -> step_index ->> 'bake_seconds')::float8)
           )
         order by step_started_at limit ${MOST}`,
      ),
    ]);
    return { approvals, rollouts };
  }
}
