-- A run is registered again once its version is at its end: the new version names the earlier one, which has one follower
-- at most.
alter table ml_model_registry add column earlier_version_id text references ml_model_registry (model_version_id);
alter table ml_model_registry drop constraint ml_model_registry_experiment_id_mlflow_run_id_key;
create unique index ml_model_registry_one_line
  on ml_model_registry (experiment_id, mlflow_run_id, coalesce(earlier_version_id, ''));

drop trigger ml_model_registry_pinned on ml_model_registry;
create trigger ml_model_registry_pinned before update on ml_model_registry for each row
  when ((old.experiment_id, old.model_name, old.version, old.mlflow_run_id, old.model_artifact_uri, old.artifact_digest,
    old.preprocessing_digest, old.earlier_version_id)
    is distinct from
    (new.experiment_id, new.model_name, new.version, new.mlflow_run_id, new.model_artifact_uri, new.artifact_digest,
    new.preprocessing_digest, new.earlier_version_id))
  execute function ml_refuse_repointing();

-- So long a shadow's evidence lets a version return to production.
alter table ml_gate_policies add column maximum_shadow_age_days double precision not null default 30
  check (maximum_shadow_age_days > 0);
