-- SQLSTATEs that the triggers raise, so that the caller gets a typed error:
--   MD001 append-only, MD002 illegal stage move, MD003 fence broken, MD004 invalid approval,
--   MD005 value refused, MD006 finished operation.

create type model_stage_enum as enum ('development', 'staging', 'shadow', 'production', 'archived');
create type deployment_status_enum as enum ('pending', 'deploying', 'active', 'draining', 'rolled_back', 'failed');
create type agent_name_enum as enum (
  'model_trainer', 'feature_analyzer', 'model_deployer', 'prediction_synthesizer', 'observability_connector'
);

-- Contract: a table that carries this trigger can only be added to.
create function ml_refuse_change() returns trigger language plpgsql as $$
begin
  raise exception '% is append-only: % refused', tg_table_name, lower(tg_op) using errcode = 'MD001';
end $$;

-- One row, written at the first migration: a demo database never becomes a standard one, nor the other way.
create table ml_installation (
  only_row boolean primary key default true check (only_row),
  kind text not null check (kind in ('standard', 'demo')),
  created_at timestamptz not null default clock_timestamp()
);
create trigger ml_installation_append_only before update or delete or truncate on ml_installation
  for each statement execute function ml_refuse_change();

create table ml_experiments (
  experiment_id text primary key,
  experiment_name text not null,
  mlflow_experiment_id text unique,
  description text,
  prediction_target text not null,
  minimum_auc numeric check (minimum_auc between 0.5 and 1),
  minimum_precision_at_k numeric check (minimum_precision_at_k between 0 and 1),
  maximum_fpr numeric check (maximum_fpr between 0 and 1),
  brand text,
  region text,
  created_by text not null,
  created_at timestamptz not null default clock_timestamp()
);

create table ml_model_registry (
  model_version_id text primary key,
  experiment_id text not null references ml_experiments (experiment_id),
  model_name text not null,
  version integer not null check (version >= 1),
  mlflow_run_id text not null,
  algorithm text,
  hyperparameters jsonb not null default '{}',
  metrics jsonb not null default '{}' check (jsonb_typeof(metrics) = 'object'),
  shap_evidence jsonb,
  stage model_stage_enum not null default 'development',
  stage_revision integer not null default 0,
  is_champion boolean generated always as (stage = 'production') stored,
  model_artifact_uri text not null,
  preprocessing_artifact_uri text,
  artifact_digest text not null,
  preprocessing_digest text,
  trained_at timestamptz,
  registered_at timestamptz not null default clock_timestamp(),
  promoted_at timestamptz,
  unique (model_name, version),
  unique (experiment_id, mlflow_run_id)
);
create unique index ml_model_registry_one_production on ml_model_registry (experiment_id) where stage = 'production';

-- Contract: a version begins in development, moves only as the lifecycle allows (a rollback's archived -> production
-- included), and each move raises the revision by one.
create function ml_check_stage_move() returns trigger language plpgsql as $$
begin
  if tg_op = 'INSERT' then
    if new.stage <> 'development' or new.stage_revision <> 0 then
      raise exception 'a version is registered in development, not in %', new.stage using errcode = 'MD002';
    end if;
    return new;
  end if;
  if new.stage <> old.stage and (old.stage, new.stage) not in (
    ('development', 'staging'), ('staging', 'shadow'), ('shadow', 'production'),
    ('production', 'archived'), ('archived', 'production')
  ) then
    raise exception '% cannot move from % to %', new.model_version_id, old.stage, new.stage using errcode = 'MD002';
  end if;
  if new.stage_revision <> old.stage_revision + (new.stage <> old.stage)::int then
    raise exception '%: each stage move raises stage_revision by one', new.model_version_id using errcode = 'MD003';
  end if;
  return new;
end $$;
create trigger ml_model_registry_stage before insert or update on ml_model_registry
  for each row execute function ml_check_stage_move();

-- Contract: what was registered stays what it is; another artifact is another version.
create function ml_refuse_repointing() returns trigger language plpgsql as $$
begin
  raise exception '%: its artifact and run are pinned at registration', old.model_version_id using errcode = 'MD001';
end $$;
create trigger ml_model_registry_pinned before update on ml_model_registry for each row
  when ((old.experiment_id, old.model_name, old.version, old.mlflow_run_id, old.model_artifact_uri, old.artifact_digest,
    old.preprocessing_digest)
    is distinct from
    (new.experiment_id, new.model_name, new.version, new.mlflow_run_id, new.model_artifact_uri, new.artifact_digest,
    new.preprocessing_digest))
  execute function ml_refuse_repointing();
