-- What the versions had answered when a rollout began, was stopped or ended; rows that are older than these columns have none.
alter table ml_rollout_history add column metrics jsonb not null default '{}' check (jsonb_typeof(metrics) = 'object');
alter table ml_rollout_history add column evidence jsonb not null default '{}' check (jsonb_typeof(evidence) = 'object');

-- Servers that could not be started again, for all workers together: none is tried before its time.
create table ml_server_restarts (
  deployment_id text primary key references ml_deployments (deployment_id),
  -- In a row; 0 once it answers again.
  failures integer not null check (failures >= 0),
  last_error text,
  next_try_at timestamptz,
  check ((failures > 0) = (next_try_at is not null))
);
