import type { NewNotice } from "../../agents/model_deployer/domain/notices/notices.ts";
import { json } from "../rows.ts";
import { anyRow, type Queries } from "../connection/transaction.ts";

/**
 * One row for each sink whose rule asks for it; told again, it is dropped. The endpoint that the notice does not name is
 * its rollout's; the experiment is its endpoint's, or that of the version which its operation is about.
 */
export async function tellSinks(
  tx: Queries,
  notice: NewNotice,
  { operation_id, except_sink = null }: { operation_id: string | null; except_sink?: string | null },
): Promise<void> {
  await tx.query(
    anyRow,
    `with place as (
       select coalesce($2::text, (select endpoint_name from ml_rollouts where rollout_id = $8)) as endpoint_name
     ), told as (
       select endpoint_name, coalesce(
         $1::text,
         (select e.experiment_id from ml_endpoints e where e.endpoint_name = place.endpoint_name),
         (select v.experiment_id from ml_operations o
          join ml_model_registry v on v.model_version_id = o.request ->> 'model_version_id' where o.operation_id = $6)
       ) as experiment_id
       from place
     )
     insert into ml_outbox (topic, dedupe_key, payload, operation_id, sink_name, lane)
     select 'notify', concat_ws(':', 'notify', s.sink_name, $3::text),
       $5::jsonb || jsonb_build_object('endpoint_name', told.endpoint_name, 'experiment_id', told.experiment_id,
         'occurred_at', clock_timestamp()), $6, s.sink_name,
       concat_ws('/', s.sink_name, told.endpoint_name)
     from ml_notification_sinks s, told
     where s.removed_at is null and s.sink_name is distinct from $7
       and (s.kinds = '{}' or $4 = any (s.kinds))
       and (s.experiment_ids = '{}' or told.experiment_id = any (s.experiment_ids))
     on conflict (dedupe_key) do nothing`,
    [
      notice.experiment_id,
      notice.endpoint_name,
      notice.event_id,
      notice.kind,
      json(notice),
      operation_id,
      except_sink,
      notice.rollout_id,
    ],
  );
}
