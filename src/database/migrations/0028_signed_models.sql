-- By whom an experiment's models have to be signed; null asks for no signature.
alter table ml_gate_policies add column signers jsonb check (jsonb_typeof(signers) = 'array');

-- Who signed a version's files, as it was verified at registration; null where no policy asked for it then.
alter table ml_model_registry add column signed_by jsonb check (jsonb_typeof(signed_by) = 'array');

drop trigger ml_model_registry_pinned on ml_model_registry;
create trigger ml_model_registry_pinned before update on ml_model_registry for each row
  when ((old.experiment_id, old.model_name, old.version, old.mlflow_run_id, old.model_artifact_uri, old.artifact_digest,
    old.preprocessing_digest, old.earlier_version_id, old.signature, old.loading, old.signed_by)
    is distinct from
    (new.experiment_id, new.model_name, new.version, new.mlflow_run_id, new.model_artifact_uri, new.artifact_digest,
    new.preprocessing_digest, new.earlier_version_id, new.signature, new.loading, new.signed_by))
  execute function ml_refuse_repointing();
