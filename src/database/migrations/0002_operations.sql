create table ml_leases (
  name text primary key,
  holder text not null,
  -- The fence: grows with each grant, and never starts again because rows are never deleted.
  token bigint not null,
  acquired_at timestamptz not null,
  expires_at timestamptz not null,
  released boolean not null default false,
  -- A repair that nobody asked for: whoever does ask for something takes the lease from it.
  background boolean not null default false
);

-- While it is `preparing`, its bento or environment is being made: it has changed nothing yet, holds a lease of its own, and
-- is planned anew when that is done.
create table ml_operations (
  operation_id text primary key,
  action_key text not null unique,
  payload_hash text not null,
  request_id text,
  action text not null,
  requested_by text not null,
  request jsonb not null,
  status text not null default 'claimed' check (
    status in ('claimed', 'preparing', 'planned', 'awaiting_approval', 'carrying_out', 'succeeded', 'refused', 'failed')
  ),
  plan jsonb,
  refusal jsonb,
  result jsonb,
  error jsonb,
  -- The lease that it was last worked on under.
  lease_name text,
  lease_token bigint,
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  finished_at timestamptz,
  -- Until when it may wait for approvals, set when it begins to wait; what was asked for long ago is not approved as if
  -- it had been asked for now.
  waits_until timestamptz,
  check ((status = 'succeeded') = (result is not null)),
  check ((status = 'refused') = (refusal is not null)),
  check ((status = 'failed') = (error is not null)),
  check ((status in ('succeeded', 'refused', 'failed')) = (finished_at is not null)),
  check (status not in ('planned', 'awaiting_approval', 'carrying_out') or plan is not null),
  check (status <> 'awaiting_approval' or waits_until is not null),
  check (status <> 'preparing' or plan is not null)
);
create index ml_operations_derived on ml_operations (payload_hash) where request_id is null;
create index ml_operations_unfinished on ml_operations (created_at) where finished_at is null;

-- Contract: a finished operation is what was answered; it never changes and never goes away.
create function ml_refuse_after_finish() returns trigger language plpgsql as $$
begin
  raise exception 'operation % is finished as %', old.operation_id, old.status using errcode = 'MD006';
end $$;
create trigger ml_operations_finished before update or delete on ml_operations for each row
  when (old.finished_at is not null) execute function ml_refuse_after_finish();

create table ml_operation_steps (
  operation_id text not null references ml_operations (operation_id),
  step_index integer not null check (step_index >= 0),
  step text not null,
  result jsonb not null,
  recorded_at timestamptz not null default clock_timestamp(),
  primary key (operation_id, step_index)
);
create trigger ml_operation_steps_append_only before update or delete or truncate on ml_operation_steps
  for each statement execute function ml_refuse_change();

create table ml_outbox (
  entry_id bigint generated always as identity primary key,
  topic text not null check (topic in ('registry_projection', 'episodic_memory', 'procedural_memory')),
  dedupe_key text not null unique,
  payload jsonb not null,
  operation_id text references ml_operations (operation_id),
  attempts integer not null default 0,
  next_attempt_at timestamptz not null default clock_timestamp(),
  delivered_at timestamptz,
  last_error text,
  created_at timestamptz not null default clock_timestamp()
);
create index ml_outbox_due on ml_outbox (next_attempt_at) where delivered_at is null;
