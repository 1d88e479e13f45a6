-- An approval is revoked by its approver only, before it is used, and stays so; the same approver may then grant a new one.
alter table ml_approvals
  add column revoked_at timestamptz,
  add column revoked_by text,
  add column revoke_reason text,
  add constraint ml_approvals_revoked_by_approver check (revoked_by = approver),
  add constraint ml_approvals_revoked_whole check (
    (revoked_at is null and revoked_by is null and revoke_reason is null)
    or (revoked_at is not null and revoked_by is not null and btrim(revoke_reason) <> '')
  ),
  add constraint ml_approvals_used_or_revoked check (used_at is null or revoked_at is null);

alter table ml_approvals drop constraint ml_approvals_operation_id_payload_hash_generation_approver_key;
create unique index ml_approvals_one_voice on ml_approvals (operation_id, payload_hash, generation, approver)
  where revoked_at is null;

create or replace function ml_check_approval() returns trigger language plpgsql as $$
begin
  if tg_op = 'UPDATE' and old.used_at is not null then
    raise exception 'approval % was used at %', old.approval_id, old.used_at using errcode = 'MD004';
  end if;
  if tg_op = 'UPDATE' and old.revoked_at is not null then
    raise exception 'approval % was revoked at %', old.approval_id, old.revoked_at using errcode = 'MD004';
  end if;
  if exists (
    select from ml_operations
    where operation_id = new.operation_id and lower(btrim(requested_by)) = lower(btrim(new.approver))
  ) then
    raise exception '% requested operation % and cannot approve it', new.approver, new.operation_id
      using errcode = 'MD004';
  end if;
  return new;
end $$;
