-- Bounds on any metric of a run, beside the three that an experiment has by their names. Rows are added and never changed:
-- the newest of an experiment holds, the others are its history.
create table ml_experiment_criteria (
  sequence bigint generated always as identity primary key,
  experiment_id text not null references ml_experiments (experiment_id),
  -- An array of {metric, bound, direction}.
  criteria jsonb not null check (jsonb_typeof(criteria) = 'array'),
  reason text not null check (btrim(reason) <> ''),
  set_by text not null,
  set_at timestamptz not null default clock_timestamp()
);
create index ml_experiment_criteria_newest on ml_experiment_criteria (experiment_id, sequence desc);
create trigger ml_experiment_criteria_append_only before update or delete or truncate on ml_experiment_criteria
  for each statement execute function ml_refuse_change();
