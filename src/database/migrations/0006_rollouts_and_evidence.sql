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
  created_at timestamptz not null default clock_timestamp(),
  updated_at timestamptz not null default clock_timestamp(),
  check (step_index <= jsonb_array_length(steps)),
  check (deployment_id <> baseline_deployment_id)
);
create unique index ml_rollouts_one_open on ml_rollouts (endpoint_name) where status in ('running', 'paused');
create index ml_rollouts_due on ml_rollouts (next_tick_at) where status = 'running';

-- The router's counters as last read, one row for each life of them; a deployment's evidence is the sum.
create table ml_shadow_evidence (
  deployment_id text not null references ml_deployments (deployment_id),
  epoch text not null,
  requests bigint not null check (requests >= 0),
  errors bigint not null check (errors >= 0),
  p99_ms double precision,
  collected_at timestamptz not null default clock_timestamp(),
  primary key (deployment_id, epoch)
);
