-- What a shadow predicted beside production, on the same requests. Sums only grow; a mean is sum / scored.
create table ml_shadow_comparisons (
  deployment_id text primary key references ml_deployments (deployment_id),
  pairs bigint not null default 0 check (pairs >= 0),
  disagreements bigint not null default 0 check (disagreements between 0 and pairs),
  scored bigint not null default 0 check (scored between 0 and pairs),
  higher bigint not null default 0 check (higher >= 0),
  lower bigint not null default 0 check (lower >= 0),
  sum_difference double precision not null default 0,
  sum_absolute_difference double precision not null default 0,
  -- How far each deployment's log was read, by deployment id.
  positions jsonb not null default '{}',
  collected_at timestamptz not null default clock_timestamp(),
  check (higher + lower <= scored)
);

-- Predictions whose counterpart was not read yet. They wait for ten minutes.
create table ml_unpaired_predictions (
  shadow_id text not null references ml_deployments (deployment_id),
  side text not null check (side in ('shadow', 'production')),
  request_id text not null,
  prediction jsonb,
  score double precision,
  read_at timestamptz not null default clock_timestamp(),
  primary key (shadow_id, side, request_id)
);
create index ml_unpaired_predictions_age on ml_unpaired_predictions (shadow_id, read_at);

-- Null asks for no agreement: a new model is there to decide otherwise, so no bound fits every experiment.
alter table ml_gate_policies add column maximum_shadow_disagreement double precision
  check (maximum_shadow_disagreement between 0 and 1);
