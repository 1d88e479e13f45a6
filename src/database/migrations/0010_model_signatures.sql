-- What a model's callers send and get, as its files told at registration.
alter table ml_model_registry add column signature jsonb check (jsonb_typeof(signature) = 'object');

drop trigger ml_model_registry_pinned on ml_model_registry;
create trigger ml_model_registry_pinned before update on ml_model_registry for each row
  when ((old.experiment_id, old.model_name, old.version, old.mlflow_run_id, old.model_artifact_uri, old.artifact_digest,
    old.preprocessing_digest, old.earlier_version_id, old.signature)
    is distinct from
    (new.experiment_id, new.model_name, new.version, new.mlflow_run_id, new.model_artifact_uri, new.artifact_digest,
    new.preprocessing_digest, new.earlier_version_id, new.signature))
  execute function ml_refuse_repointing();
