-- What the versions had answered when a rollout began, was stopped or ended; rows that are older than these columns have none.
alter table ml_rollout_history add column metrics jsonb not null default '{}' check (jsonb_typeof(metrics) = 'object');
alter table ml_rollout_history add column evidence jsonb not null default '{}' check (jsonb_typeof(evidence) = 'object');
