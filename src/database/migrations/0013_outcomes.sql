-- Answers of servers that wait for their outcome, or had it. Bounded by number and age.
create table ml_answers (
  endpoint_name text not null references ml_endpoints (endpoint_name),
  request_id text not null,
  is_mirrored boolean not null,
  deployment_id text not null references ml_deployments (deployment_id),
  prediction jsonb,
  score double precision,
  has_failed boolean not null,
  answered_at timestamptz not null,
  read_at timestamptz not null default clock_timestamp(),
  -- It stays, so that a request that comes again under the same id is known as one.
  compared_at timestamptz,
  primary key (endpoint_name, request_id, is_mirrored)
);
create index ml_answers_age on ml_answers (endpoint_name, read_at);
create index ml_answers_request on ml_answers (request_id);

-- What turned out to be true, by the id of the request. The first one told stays.
create table ml_outcomes (
  request_id text primary key,
  endpoint_name text,
  outcome jsonb not null,
  recorded_by text not null,
  recorded_at timestamptz not null default clock_timestamp()
);
create index ml_outcomes_age on ml_outcomes (recorded_at);

-- How far the logs of an endpoint's servers were read, and the routes that were in force meanwhile.
create table ml_answer_logs (
  endpoint_name text primary key references ml_endpoints (endpoint_name),
  positions jsonb not null default '{}',
  stretches jsonb not null default '[]',
  repeated_ids bigint not null default 0 check (repeated_ids >= 0),
  read_answers bigint not null default 0 check (read_answers >= 0)
);

-- What the outcomes say of one rollout, or of one shadow's pairs.
create table ml_outcome_comparisons (
  subject text primary key,
  evidence jsonb not null,
  updated_at timestamptz not null default clock_timestamp()
);
