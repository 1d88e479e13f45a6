import { z } from "zod";
import {
  type NewSink,
  placeOf,
  type SendableSink,
  sendableSinkSchema,
  type Sink,
  sinkSchema,
  sinkSecretsSchema,
} from "../../agents/model_deployer/domain/notices/notification_sinks.ts";
import type { Actor } from "../../agents/model_deployer/domain/access/roles.ts";
import { NotFoundError } from "../../agents/model_deployer/errors.ts";
import type {
  NotificationSinks,
  SecretKeeper,
} from "../../agents/model_deployer/ports/notification_ports.ts";
import type { SqlDatabase } from "../connection/pool.ts";
import { json } from "../rows.ts";
import { anyRow } from "../connection/transaction.ts";
import { actingAs } from "./people/acting_as.ts";

const countRow = z.strictObject({ count: z.int() });
const keptRow = z.strictObject({ sink_name: z.string(), secrets: sinkSecretsSchema });
/** Prefix of values that an earlier version stored in clear text. */
const CLEAR_TEXT_PREFIX = "plain:";

export class PostgresNotificationSinks implements NotificationSinks {
  readonly #database: SqlDatabase;
  readonly #owner: SqlDatabase;

  /** `owner` may write what the deployer's own role only reads. */
  constructor(database: SqlDatabase, owner: SqlDatabase) {
    this.#database = database;
    this.#owner = owner;
  }

  async list(): Promise<Sink[]> {
    return this.#database.query(
      sinkSchema,
      `select sink_name, target, kinds, experiment_ids, may_be_inside, set_by, set_at, failing_since, failures,
         last_error, last_delivered_at, coalesce(waiting, 0) as waiting, coalesce(set_aside, 0) as set_aside
       from ml_notification_sinks left join (
         select sink_name, count(*) filter (where set_aside_at is null) as waiting, count(set_aside_at) as set_aside
         from ml_outbox where topic = 'notify' and delivered_at is null group by sink_name
       ) o using (sink_name)
       where removed_at is null order by sink_name`,
    );
  }

  async sendable(sinkName: string): Promise<SendableSink> {
    const [found] = await this.#database.query(
      sendableSinkSchema,
      `select sink_name, target, secrets, may_be_inside from ml_notification_sinks
       where sink_name = $1 and removed_at is null`,
      [sinkName],
    );
    if (found === undefined) throw unknownSink(sinkName);
    return found;
  }

  async set(
    { sink_name, target, secrets, kinds, experiment_ids, may_be_inside }: NewSink,
    by: Actor,
  ): Promise<void> {
    await this.#owner.transaction(async (tx) => {
      await actingAs(tx, by);
      await tx.query(
        anyRow,
        `insert into ml_notification_sinks as s
           (sink_name, target, secrets, kinds, experiment_ids, may_be_inside, set_by)
         values ($1, $2, $3, $4, $5, $6, $7)
         on conflict (sink_name) do update set target = excluded.target, kinds = excluded.kinds,
           secrets = case when s.target ->> 'kind' = excluded.target ->> 'kind' then s.secrets else '{}' end
             || excluded.secrets,
           experiment_ids = excluded.experiment_ids, may_be_inside = excluded.may_be_inside, set_by = excluded.set_by,
           set_at = clock_timestamp(), removed_at = null, failing_since = null, failures = 0, last_error = null,
           next_attempt_at = '-infinity'`,
        [sink_name, json(target), json(secrets), kinds, experiment_ids, may_be_inside, by.who],
      );
    });
    await this.retry(sink_name);
  }

  async retry(sinkName: string): Promise<number> {
    await this.sendable(sinkName);
    const [row] = await this.#database.query(
      countRow,
      `with again as (
         update ml_outbox set set_aside_at = null, refusals = 0, next_attempt_at = clock_timestamp()
         where topic = 'notify' and sink_name = $1 and set_aside_at is not null and delivered_at is null returning entry_id
       )
       select count(*) as count from again`,
      [sinkName],
    );
    return row?.count ?? 0;
  }

  async remove(sinkName: string, by: Actor): Promise<void> {
    await this.#owner.transaction(async (tx) => {
      await actingAs(tx, by);
      const removed = await tx.query(
        anyRow,
        `with gone as (
           update ml_notification_sinks set removed_at = clock_timestamp(), secrets = '{}'
           where sink_name = $1 and removed_at is null returning sink_name
         ), dropped as (
           update ml_outbox o set delivered_at = clock_timestamp(), last_error = 'its sink was removed'
           from gone where o.sink_name = gone.sink_name and o.delivered_at is null
         )
         select sink_name from gone`,
        [sinkName],
      );
      if (removed.length === 0) throw unknownSink(sinkName);
    });
  }

  /** Seals what an earlier version kept in clear text. */
  async sealPlain(keeper: Pick<SecretKeeper, "keep">): Promise<void> {
    const found = await this.#database.query(
      keptRow,
      `select sink_name, secrets from ml_notification_sinks
       where secrets ->> 'address' like '${CLEAR_TEXT_PREFIX}%' or secrets ->> 'secret' like '${CLEAR_TEXT_PREFIX}%'`,
    );
    for (const { sink_name, secrets } of found) {
      const { address, secret } = secrets;
      const seal = async (part: "address" | "secret", kept: string | undefined) =>
        kept?.startsWith(CLEAR_TEXT_PREFIX) === true
          ? (await keeper.keep(kept.slice(CLEAR_TEXT_PREFIX.length), placeOf(sink_name, part))).kept
          : kept;
      const sealed = { address: await seal("address", address), secret: await seal("secret", secret) };
      await this.#owner.query(
        anyRow,
        "update ml_notification_sinks set secrets = $2 where sink_name = $1 and secrets = $3",
        [sink_name, json(sealed), json(secrets)],
      );
    }
  }
}

function unknownSink(name: string): NotFoundError {
  return new NotFoundError(
    `Sink ${JSON.stringify(name)} does not exist: \`model-deployer notifications list\` names those there are.`,
    { details: { sink_name: name } },
  );
}
