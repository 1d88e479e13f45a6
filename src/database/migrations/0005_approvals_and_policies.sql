create table ml_principals (
  principal text primary key check (btrim(principal) <> ''),
  token_sha256 text not null unique check (token_sha256 ~ '^[0-9a-f]{64}$'),
  enrolled_at timestamptz not null default clock_timestamp()
);

create table ml_approvals (
  approval_id text primary key,
  operation_id text not null references ml_operations (operation_id),
  payload_hash text not null,
  generation integer not null,
  approver text not null references ml_principals (principal),
  reason text not null,
  granted_at timestamptz not null default clock_timestamp(),
  expires_at timestamptz not null default clock_timestamp() + interval '24 hours',
  used_at timestamptz,
  revoked_at timestamptz,
  revoked_by text,
  revoke_reason text,
  check (expires_at > granted_at),
  constraint ml_approvals_revoked_by_approver check (revoked_by = approver),
  constraint ml_approvals_revoked_whole check (
    (revoked_at is null and revoked_by is null and revoke_reason is null)
    or (revoked_at is not null and revoked_by is not null and btrim(revoke_reason) <> '')
  ),
  constraint ml_approvals_used_or_revoked check (used_at is null or revoked_at is null)
);
-- One voice each, however often it is raised; who revoked it may raise it again.
create unique index ml_approvals_one_voice on ml_approvals (operation_id, payload_hash, generation, approver)
  where revoked_at is null;

-- Contract: nobody approves what they asked for, whatever the spelling of their name; a used or revoked approval stays so.
create function ml_check_approval() returns trigger language plpgsql as $$
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
create trigger ml_approvals_checked before insert or update on ml_approvals
  for each row execute function ml_check_approval();

create table ml_gate_policies (
  policy_id text primary key,
  -- Orders the policies of an experiment; the newest one holds.
  sequence bigint generated always as identity,
  experiment_id text not null references ml_experiments (experiment_id),
  kind text not null check (kind in ('standard', 'demo')),
  minimum_shadow_hours double precision not null check (minimum_shadow_hours > 0),
  minimum_shadow_requests integer not null check (minimum_shadow_requests >= 0),
  maximum_shadow_error_rate double precision not null check (maximum_shadow_error_rate between 0 and 1),
  maximum_shadow_p99_ms double precision not null check (maximum_shadow_p99_ms > 0),
  approvals_for_production integer not null check (approvals_for_production >= 0),
  -- Approvals that single moves need; what is not named needs approvals_for_production.
  approvals_by_move jsonb not null default '{}'
    constraint ml_gate_policies_approvals_by_move_check check (
      jsonb_typeof(approvals_by_move) = 'object'
      and approvals_by_move
        - array['promotion', 'supersession', 'archival', 'immediate_deployment', 'promote_now', 'retry'] = '{}'
      and not jsonb_path_exists(approvals_by_move, '$.* ? (@.type() != "number" || @ < 0 || @.floor() != @)')
    ),
  -- Null asks for no agreement: a new model is there to decide otherwise, so no bound fits every experiment.
  maximum_shadow_disagreement double precision check (maximum_shadow_disagreement between 0 and 1),
  -- What a newer version may do that is promoted to production while a rollout is open: wait, or end the rollout.
  during_rollout text not null default 'refuse' check (during_rollout in ('refuse', 'supersede')),
  -- How rollouts are judged; what is not named is as usual.
  judge jsonb not null default '{}' constraint ml_gate_policies_judge_check check (jsonb_typeof(judge) = 'object'),
  reason text not null check (btrim(reason) <> ''),
  set_by text not null,
  set_at timestamptz not null default clock_timestamp(),
  constraint ml_gate_policies_24_hours check (kind = 'demo' or minimum_shadow_hours >= 24)
);
create index ml_gate_policies_newest on ml_gate_policies (experiment_id, sequence desc);
create trigger ml_gate_policies_append_only before update or delete or truncate on ml_gate_policies
  for each statement execute function ml_refuse_change();

-- Contract: a demo policy exists only in a database that was created as a demo.
create function ml_check_policy_kind() returns trigger language plpgsql as $$
begin
  if new.kind = 'demo' and not exists (select from ml_installation where kind = 'demo') then
    raise exception 'a demo policy for % in a database that is no demo', new.experiment_id using errcode = 'MD005';
  end if;
  return new;
end $$;
create trigger ml_gate_policies_kind before insert on ml_gate_policies
  for each row execute function ml_check_policy_kind();
