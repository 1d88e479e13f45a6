create table ml_stage_history (
  history_id bigint generated always as identity primary key,
  occurred_at timestamptz not null default clock_timestamp(),
  kind text not null check (kind in ('registration', 'promotion', 'supersession', 'rollback', 'archival')),
  experiment_id text not null references ml_experiments (experiment_id),
  model_version_id text not null references ml_model_registry (model_version_id),
  from_stage model_stage_enum,
  to_stage model_stage_enum not null,
  stage_revision integer not null,
  changed_by text not null,
  reason text not null,
  metrics jsonb not null default '{}',
  evidence jsonb not null default '{}',
  operation_id text references ml_operations (operation_id),
  unique (model_version_id, stage_revision)
);
create index ml_stage_history_experiment on ml_stage_history (experiment_id, occurred_at);
create trigger ml_stage_history_append_only before update or delete or truncate on ml_stage_history
  for each statement execute function ml_refuse_change();

-- One row for each generation that the router acknowledged, held to the same rule as what was wanted.
create table ml_traffic_history (
  history_id bigint generated always as identity primary key,
  occurred_at timestamptz not null default clock_timestamp(),
  experiment_id text not null references ml_experiments (experiment_id),
  endpoint_name text not null references ml_endpoints (endpoint_name),
  generation integer not null,
  deployment_weights jsonb not null,
  version_weights jsonb not null,
  mirror_deployment_id text,
  wanted_at timestamptz not null,
  changed_by text not null,
  reason text not null,
  metrics jsonb not null default '{}',
  evidence jsonb not null default '{}',
  operation_id text references ml_operations (operation_id),
  unique (endpoint_name, generation),
  constraint ml_traffic_history_deployment_weights_sum_to_100 check (ml_weights_valid(deployment_weights)),
  constraint ml_traffic_history_version_weights_sum_to_100 check (ml_weights_valid(version_weights))
);
create index ml_traffic_history_experiment on ml_traffic_history (experiment_id, occurred_at);
-- What was in production at an instant is the newest row before it, in the order in which rows are asked for.
create index ml_traffic_history_endpoint on ml_traffic_history (endpoint_name, occurred_at desc, generation desc);
create trigger ml_traffic_history_append_only before update or delete or truncate on ml_traffic_history
  for each statement execute function ml_refuse_change();
