-- What is secret of a sink stands apart from what may be shown of it, sealed by a key that the database does not have, or as a
-- reference to where it is. What an earlier version kept in clear text is marked, and sealed by the next process that has
-- the key.
alter table ml_notification_sinks add column secrets jsonb not null default '{}';
update ml_notification_sinks set
  secrets = jsonb_strip_nulls(jsonb_build_object(
    'address', 'plain:' || (target ->> 'url'), 'secret', 'plain:' || (target ->> 'secret')
  )),
  target = (target - 'url' - 'secret') || case when target ? 'url'
    then jsonb_build_object('host', substring(target ->> 'url' from '^[a-z]+://([^/?#]+)')) else '{}' end;

-- Who set a sink and who removed it; how it fares is no change of anybody's.
create constraint trigger ml_notification_sinks_added after insert on ml_notification_sinks deferrable initially deferred
  for each row execute function ml_audit_row('sink', 'sink_name', 'set_by',
    'secrets,failing_since,failures,next_attempt_at,last_error,last_delivered_at');
create constraint trigger ml_notification_sinks_changed after update on ml_notification_sinks deferrable initially deferred
  for each row when (
    (old.target, old.kinds, old.experiment_ids, old.may_be_inside, old.set_at, old.removed_at)
    is distinct from (new.target, new.kinds, new.experiment_ids, new.may_be_inside, new.set_at, new.removed_at)
  ) execute function ml_audit_row('sink', 'sink_name', 'set_by',
    'secrets,failing_since,failures,next_attempt_at,last_error,last_delivered_at');

-- A notice that its sink has refused often enough: those that follow it are sent, and it waits for somebody.
alter table ml_outbox
  add column refusals integer not null default 0 check (refusals >= 0),
  add column set_aside_at timestamptz,
  add constraint ml_outbox_notices_are_set_aside check (set_aside_at is null or topic = 'notify');
drop index ml_outbox_lanes;
create index ml_outbox_lanes on ml_outbox (sink_name, lane, entry_id)
  where delivered_at is null and set_aside_at is null and topic = 'notify';
