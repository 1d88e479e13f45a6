-- The router's counters as last read, one row for each life of them; a deployment's evidence is the sum.
create table ml_shadow_evidence (
  deployment_id text not null references ml_deployments (deployment_id),
  epoch text not null,
  requests bigint not null check (requests >= 0),
  errors bigint not null check (errors >= 0),
  p99_ms double precision,
  collected_at timestamptz not null default clock_timestamp(),
  -- When this life was seen first. What lies between two lives was seen by nobody, and counts for no hours.
  began_at timestamptz not null default clock_timestamp(),
  primary key (deployment_id, epoch)
);

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
