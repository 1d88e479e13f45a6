-- Who is told of what, and where.
create table ml_notification_sinks (
  sink_name text primary key check (sink_name ~ '^[a-z0-9][a-z0-9_-]{0,62}$'),
  -- With the address and the secret that it is signed by.
  target jsonb not null check (target ->> 'kind' in ('webhook', 'slack', 'teams', 'email')),
  -- Empty: every kind, every experiment.
  kinds text[] not null default '{}',
  experiment_ids text[] not null default '{}',
  may_be_inside boolean not null default false,
  set_by text not null,
  set_at timestamptz not null default clock_timestamp(),
  removed_at timestamptz,
  -- Of a sink that does not answer; nothing is sent to it before `next_attempt_at`.
  failing_since timestamptz,
  failures integer not null default 0 check (failures >= 0),
  next_attempt_at timestamptz not null default '-infinity',
  last_error text,
  last_delivered_at timestamptz
);

alter table ml_outbox
  add column sink_name text references ml_notification_sinks (sink_name),
  -- Entries of one lane are delivered in their order.
  add column lane text,
  drop constraint ml_outbox_topic_check,
  add constraint ml_outbox_topic_check
    check (topic in ('registry_projection', 'episodic_memory', 'procedural_memory', 'notify')),
  add constraint ml_outbox_notify_names_its_sink check ((topic = 'notify') = (sink_name is not null and lane is not null));
create index ml_outbox_lanes on ml_outbox (sink_name, lane, entry_id) where delivered_at is null and topic = 'notify';

drop trigger ml_outbox_kept on ml_outbox;
create trigger ml_outbox_kept before update on ml_outbox for each row
  when ((old.topic, old.dedupe_key, old.payload, old.operation_id, old.created_at, old.sink_name, old.lane)
    is distinct from
    (new.topic, new.dedupe_key, new.payload, new.operation_id, new.created_at, new.sink_name, new.lane))
  execute function ml_keep_message();
