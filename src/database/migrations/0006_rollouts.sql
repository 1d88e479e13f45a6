create table ml_rollouts (
  rollout_id text primary key,
  endpoint_name text not null references ml_endpoints (endpoint_name),
  experiment_id text not null references ml_experiments (experiment_id),
  deployment_id text not null references ml_deployments (deployment_id),
  baseline_deployment_id text not null references ml_deployments (deployment_id),
  operation_id text references ml_operations (operation_id),
  status text not null check (status in ('running', 'paused', 'completed', 'rolled_back', 'aborted')),
  steps jsonb not null check (jsonb_typeof(steps) = 'array' and jsonb_array_length(steps) > 0),
  step_index integer not null check (step_index >= 0),
  step_started_at timestamptz not null,
  next_tick_at timestamptz,
  inconclusive_looks integer not null check (inconclusive_looks >= 0),
  judge jsonb not null,
  judge_state jsonb not null,
  verdict jsonb,
  -- While in the future, one worker has it.
  claimed_until timestamptz,
  -- Until when a completed rollout is judged.
  watched_until timestamptz,
  -- Who paused it, why and since when; null while nobody has.
  pause jsonb,
  -- The steps that were asked for, before caution changed them.
  asked_steps jsonb,
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  check (step_index <= jsonb_array_length(steps)),
  check (deployment_id <> baseline_deployment_id)
);
create unique index ml_rollouts_one_open on ml_rollouts (endpoint_name) where status in ('running', 'paused');
-- Whatever has a next tick is looked at, whether it runs, is paused or completed.
create index ml_rollouts_due on ml_rollouts (next_tick_at) where next_tick_at is not null;

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
  weights jsonb not null
    constraint ml_rollout_history_weights_sum_to_100 check (ml_weights_valid(weights)),
  verdict jsonb,
  metrics jsonb not null default '{}' check (jsonb_typeof(metrics) = 'object'),
  evidence jsonb not null default '{}' check (jsonb_typeof(evidence) = 'object'),
  changed_by text not null,
  reason text not null,
  operation_id text references ml_operations (operation_id)
);
create index ml_rollout_history_experiment on ml_rollout_history (experiment_id, occurred_at);
create trigger ml_rollout_history_append_only before update or delete or truncate on ml_rollout_history
  for each statement execute function ml_refuse_change();
