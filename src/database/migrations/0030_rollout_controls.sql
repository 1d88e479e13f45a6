-- Who paused it, why and since when; null while nobody has.
alter table ml_rollouts add column pause jsonb;

-- One row for each time that a rollout began, was stopped or ended, and by whom. Its steps are rows of the traffic's history.
create table ml_rollout_history (
  history_id bigint generated always as identity primary key,
  occurred_at timestamptz not null default clock_timestamp(),
  kind text not null check (kind in (
    'rollout_started', 'rollout_paused', 'rollout_resumed', 'rollout_promoted', 'rollout_completed',
    'rollout_rolled_back', 'rollout_aborted'
  )),
  rollout_id text not null references ml_rollouts (rollout_id),
  experiment_id text not null references ml_experiments (experiment_id),
  endpoint_name text not null references ml_endpoints (endpoint_name),
  step_index integer not null,
  -- By deployment, as they were wanted at that moment.
  weights jsonb not null,
  verdict jsonb,
  changed_by text not null,
  reason text not null,
  operation_id text references ml_operations (operation_id)
);
create index ml_rollout_history_experiment on ml_rollout_history (experiment_id, occurred_at);
create trigger ml_rollout_history_append_only before update or delete or truncate on ml_rollout_history
  for each statement execute function ml_refuse_change();

-- What a newer version may do that is promoted to production while a rollout is open: wait, or end the rollout.
alter table ml_gate_policies add column during_rollout text not null default 'refuse'
  check (during_rollout in ('refuse', 'supersede'));
