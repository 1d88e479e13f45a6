-- How an experiment has requests kept; null keeps none.
alter table ml_gate_policies add column kept_rows jsonb check (jsonb_typeof(kept_rows) = 'object');

-- A sample of requests, their inputs hidden and hashed as the policy says, and what each deployment answered. Bounded by
-- number and age.
create table ml_kept_rows (
  endpoint_name text not null references ml_endpoints (endpoint_name),
  request_id text not null,
  path text not null,
  input jsonb not null,
  kept_at timestamptz not null default clock_timestamp(),
  primary key (endpoint_name, request_id)
);
create index ml_kept_rows_age on ml_kept_rows (endpoint_name, kept_at);

create table ml_row_answers (
  endpoint_name text not null,
  request_id text not null,
  deployment_id text not null references ml_deployments (deployment_id),
  prediction jsonb,
  score double precision,
  has_failed boolean not null,
  answered_at timestamptz not null,
  primary key (endpoint_name, request_id, deployment_id),
  foreign key (endpoint_name, request_id) references ml_kept_rows on delete cascade
);

-- How far the logs of an endpoint's servers were read for rows.
create table ml_row_logs (
  endpoint_name text primary key references ml_endpoints (endpoint_name),
  positions jsonb not null default '{}'
);
