-- Formats in which an experiment's models may be saved; null allows each that the installation does.
alter table ml_gate_policies add column formats jsonb check (jsonb_typeof(formats) = 'array');

-- The effects of loading a version's files, as they were read from them at registration.
alter table ml_model_registry add column loading jsonb check (jsonb_typeof(loading) = 'object');

drop trigger ml_model_registry_pinned on ml_model_registry;
create trigger ml_model_registry_pinned before update on ml_model_registry for each row
  when ((old.experiment_id, old.model_name, old.version, old.mlflow_run_id, old.model_artifact_uri, old.artifact_digest,
    old.preprocessing_digest, old.earlier_version_id, old.signature, old.loading)
    is distinct from
    (new.experiment_id, new.model_name, new.version, new.mlflow_run_id, new.model_artifact_uri, new.artifact_digest,
    new.preprocessing_digest, new.earlier_version_id, new.signature, new.loading))
  execute function ml_refuse_repointing();
