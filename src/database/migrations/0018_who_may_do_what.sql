-- A name's key is what it is known by, however it is spelled: without blanks at its ends, in NFKC's form, case-folded.
-- The collation is the server's best, since lower() of the plain one folds ASCII alone.
do $$
declare
  best text;
  candidate text;
begin
  foreach candidate in array array['und-x-icu', 'C.utf8', 'C.UTF-8', 'en_US.utf8', 'pg_c_utf8'] loop
    begin
      execute format('select lower(%L collate %I)', 'É', candidate);
      best := candidate;
      exit;
    exception when others then null;
    end;
  end loop;
  execute format(
    $f$create function ml_name_key(name text) returns text language sql immutable strict parallel safe as $body$
      select lower(upper(%1$s %2$s) %2$s)
    $body$ $f$,
    case when getdatabaseencoding() = 'UTF8' then 'normalize(regexp_replace(name, ''^\s+|\s+$'', '''', ''g''), nfkc)'
      else 'regexp_replace(name, ''^\s+|\s+$'', '''', ''g'')' end,
    case when best is null then '' else format('collate %I', best) end
  );
end $$;

-- One row for each spelling that was ever enrolled; the others of one key are joined to the first, which stands for the
-- person. Who is removed stays, for the history names them.
alter table ml_principals
  add column name_key text,
  add column same_as text references ml_principals (principal),
  add column kind text not null default 'person' check (kind in ('person', 'machine')),
  add column enrolled_by text,
  add column removed_at timestamptz,
  add column removed_by text,
  add column remove_reason text,
  add constraint ml_principals_removed_whole check (
    (removed_at is null and removed_by is null and remove_reason is null)
    or (removed_at is not null and removed_by is not null and btrim(remove_reason) <> '')
  );
update ml_principals set name_key = ml_name_key(principal);
update ml_principals as later set same_as = first.principal
  from (
    select distinct on (name_key) name_key, principal from ml_principals order by name_key, enrolled_at, principal
  ) as first
  where first.name_key = later.name_key and first.principal <> later.principal;
alter table ml_principals alter column name_key set not null;
create unique index ml_principals_one_person on ml_principals (name_key) where same_as is null;

create table ml_tokens (
  token_id text primary key,
  principal text not null references ml_principals (principal),
  -- A session is opened by a sign-in at a provider; a token by an administrator.
  kind text not null default 'token' check (kind in ('token', 'session')),
  token_sha256 text not null unique check (token_sha256 ~ '^[0-9a-f]{64}$'),
  label text not null,
  created_at timestamptz not null default clock_timestamp(),
  created_by text,
  expires_at timestamptz,
  last_used_at timestamptz,
  revoked_at timestamptz,
  revoked_by text,
  check ((revoked_at is null) = (revoked_by is null)),
  check (expires_at is null or expires_at > created_at)
);
create index ml_tokens_of on ml_tokens (principal);
insert into ml_tokens (token_id, principal, token_sha256, label, created_at)
  select 'token_' || left(encode(sha256(convert_to(token_sha256, 'UTF8')), 'hex'), 24), coalesce(same_as, principal),
    token_sha256, 'enrolled', enrolled_at
  from ml_principals;
alter table ml_principals drop column token_sha256;

-- Contract: a token stays who it is; it is revoked once, and its last use only moves on.
create function ml_keep_token() returns trigger language plpgsql as $$
begin
  if (old.token_id, old.principal, old.kind, old.token_sha256, old.label, old.created_at, old.created_by,
      old.expires_at) is distinct from
    (new.token_id, new.principal, new.kind, new.token_sha256, new.label, new.created_at, new.created_by,
      new.expires_at)
    or old.revoked_at is not null and (new.revoked_at, new.revoked_by) is distinct from (old.revoked_at, old.revoked_by)
    or new.last_used_at < old.last_used_at then
    raise exception 'token %: it is fixed; revoke it and make another', old.token_id using errcode = 'MD001';
  end if;
  return new;
end $$;
create trigger ml_tokens_kept before update on ml_tokens for each row execute function ml_keep_token();

-- A role for one experiment, or for all where none is named; revoked rows are the history.
create table ml_grants (
  grant_id bigint generated always as identity primary key,
  principal text not null references ml_principals (principal),
  role text not null check (role in ('viewer', 'operator', 'approver', 'administrator')),
  experiment_id text references ml_experiments (experiment_id),
  granted_at timestamptz not null default clock_timestamp(),
  granted_by text,
  revoked_at timestamptz,
  revoked_by text,
  check ((revoked_at is null) = (revoked_by is null))
);
create unique index ml_grants_once on ml_grants (principal, role, coalesce(experiment_id, '')) where revoked_at is null;
-- Whoever had a token could ask and approve until now.
insert into ml_grants (principal, role)
  select principal, role from ml_principals, unnest(array['operator', 'approver']) as role where same_as is null;

-- Where a person comes from: an operating system's user, or a subject of an identity provider by its issuer.
create table ml_logins (
  login_id bigint generated always as identity primary key,
  provider text not null check (btrim(provider) <> ''),
  subject text not null check (btrim(subject) <> ''),
  principal text not null references ml_principals (principal),
  linked_at timestamptz not null default clock_timestamp(),
  linked_by text,
  unlinked_at timestamptz,
  unlinked_by text,
  check ((unlinked_at is null) = (unlinked_by is null))
);
create unique index ml_logins_one_person on ml_logins (provider, subject) where unlinked_at is null;

-- Contract: a role or a login that was given is taken back once, and never rewritten.
create function ml_keep_given() returns trigger language plpgsql as $$
declare
  ended text[] := array['revoked_at', 'revoked_by', 'unlinked_at', 'unlinked_by'];
begin
  if to_jsonb(old) - ended is distinct from to_jsonb(new) - ended
    or coalesce(to_jsonb(old) ->> 'revoked_at', to_jsonb(old) ->> 'unlinked_at') is not null then
    raise exception '% of %: it is fixed; take it back and give another', tg_table_name, old.principal
      using errcode = 'MD001';
  end if;
  return new;
end $$;
create trigger ml_grants_kept before update on ml_grants for each row execute function ml_keep_given();
create trigger ml_logins_kept before update on ml_logins for each row execute function ml_keep_given();
create function ml_refuse_delete() returns trigger language plpgsql as $$
begin
  raise exception '%: rows are ended, never deleted', tg_table_name using errcode = 'MD001';
end $$;
create trigger ml_principals_stay before delete or truncate on ml_principals
  for each statement execute function ml_refuse_delete();
create trigger ml_tokens_stay before delete or truncate on ml_tokens
  for each statement execute function ml_refuse_delete();
create trigger ml_grants_stay before delete or truncate on ml_grants
  for each statement execute function ml_refuse_delete();
create trigger ml_logins_stay before delete or truncate on ml_logins
  for each statement execute function ml_refuse_delete();

-- The experiment that a request is about; null where the database does not know it.
create function ml_experiment_of(request jsonb) returns text language sql stable as $$
  select coalesce(
    request ->> 'experiment_id',
    (select experiment_id from ml_model_registry where model_version_id = request ->> 'model_version_id'),
    (select experiment_id from ml_deployments
      where deployment_id = coalesce(request ->> 'deployment_id', request ->> 'current_deployment_id')),
    (select experiment_id from ml_rollouts where rollout_id = request ->> 'rollout_id'),
    (select experiment_id from ml_endpoints where endpoint_name = request ->> 'endpoint_name')
  )
$$;

-- The principal of a token that is in force; null for any other text.
create function ml_principal_of(token text) returns text language sql stable as $$
  select t.principal from ml_tokens t join ml_principals p using (principal)
  where t.token_sha256 = encode(sha256(convert_to(token, 'UTF8')), 'hex') and t.revoked_at is null
    and (t.expires_at is null or t.expires_at > clock_timestamp()) and p.removed_at is null
$$;

create function ml_has_role(who text, roles text[], experiment text) returns boolean language sql stable as $$
  select exists (
    select from ml_grants g join ml_principals p using (principal)
    where g.principal = who and g.role = any (roles) and g.revoked_at is null and p.removed_at is null
      and (g.experiment_id is null or g.experiment_id = experiment)
  )
$$;

-- Where a request comes from ({"as": "token" or "session", "via", "user", "host", "address"}), and the person behind
-- it: the token's principal, or the one whom the session's user of the operating system is. Null: nobody who is known.
alter table ml_operations add column asked_from jsonb, add column person text;

create function ml_person_of(requester text, asked_from jsonb) returns text language sql stable as $$
  select coalesce(
    (select principal from ml_principals where name_key = ml_name_key(requester) and same_as is null),
    (select principal from ml_logins where provider = 'os' and unlinked_at is null
      and subject in (asked_from ->> 'user', concat(asked_from ->> 'user', '@', asked_from ->> 'host'))
      order by length(subject) desc limit 1),
    (select principal from ml_principals where name_key = ml_name_key(asked_from ->> 'user') and same_as is null)
  )
$$;

create function ml_set_person() returns trigger language plpgsql as $$
begin
  new.person := ml_person_of(new.requested_by, new.asked_from);
  return new;
end $$;
create trigger ml_operations_person before insert on ml_operations
  for each row execute function ml_set_person();

create or replace function ml_keep_request() returns trigger language plpgsql as $$
begin
  if (old.operation_id, old.action_key, old.payload_hash, old.request_id, old.action, old.requested_by, old.request,
      old.created_at, old.asked_from, old.person)
    is distinct from
    (new.operation_id, new.action_key, new.payload_hash, new.request_id, new.action, new.requested_by, new.request,
      new.created_at, new.asked_from, new.person) then
    raise exception 'operation %: what was asked for, by whom and when, is fixed', old.operation_id
      using errcode = 'MD001';
  end if;
  if old.waits_until is distinct from new.waits_until and old.waits_until is not null then
    raise exception 'operation % waits until %', old.operation_id, old.waits_until using errcode = 'MD001';
  end if;
  if old.waits_until is not null and new.status in ('claimed', 'preparing', 'awaiting_approval')
    and new.plan - 'approvals_needed' is distinct from old.plan - 'approvals_needed'
    and coalesce((new.plan ->> 'generation')::int, -1) <= (old.plan ->> 'generation')::int then
    raise exception 'operation %: the plan that waits for approvals is fixed', old.operation_id
      using errcode = 'MD001';
  end if;
  return new;
end $$;

-- Contract: nobody approves what they asked for, whatever the spelling of their name and whoever's user they asked as;
-- an approval is revoked by its approver, or when they leave; a used or revoked approval stays so.
alter table ml_approvals drop constraint ml_approvals_revoked_by_approver;
create or replace function ml_check_approval() returns trigger language plpgsql as $$
declare
  asked record;
begin
  if tg_op = 'UPDATE' and old.used_at is not null then
    raise exception 'approval % was used at %', old.approval_id, old.used_at using errcode = 'MD004';
  end if;
  if tg_op = 'UPDATE' and old.revoked_at is not null then
    raise exception 'approval % was revoked at %', old.approval_id, old.revoked_at using errcode = 'MD004';
  end if;
  if new.revoked_by <> new.approver
    and not exists (
      select from ml_principals
      where principal = new.approver and (removed_at is not null or same_as is not null)
    ) then
    raise exception 'approval % is %''s to revoke', new.approval_id, new.approver using errcode = '23514';
  end if;
  if new.revoked_at is not null then return new; end if;
  select requested_by, person, asked_from into asked from ml_operations where operation_id = new.operation_id;
  if ml_name_key(asked.requested_by) = ml_name_key(new.approver) then
    raise exception '% requested operation % and cannot approve it', new.approver, new.operation_id
      using errcode = 'MD004';
  end if;
  if asked.person = new.approver then
    raise exception '% requested operation % as % of %, and cannot approve it', new.approver, new.operation_id,
      asked.asked_from ->> 'user', asked.asked_from ->> 'host' using errcode = 'MD004';
  end if;
  return new;
end $$;

-- Approvals of one person in several spellings were several voices: those of the later ones end here.
update ml_approvals set revoked_at = clock_timestamp(), revoked_by = approver,
    revoke_reason = 'this spelling was joined to ' || p.same_as || ', who may approve'
  from ml_principals p
  where p.principal = approver and p.same_as is not null and used_at is null and revoked_at is null;

-- Approves what the operation waits with, as the principal of the token: nobody adds an approval who has not the token of
-- its approver, and the deployer's own login cannot write one otherwise.
create function ml_grant_approval(given_token text, given_operation text, given_reason text)
returns setof ml_approvals language plpgsql security definer as $$
declare
  who text := ml_principal_of(given_token);
  asked ml_operations;
begin
  if who is null then
    raise exception 'no principal belongs to this token' using errcode = 'MD008';
  end if;
  select * into asked from ml_operations where operation_id = given_operation for update;
  if not ml_has_role(who, array['approver', 'administrator'], ml_experiment_of(asked.request)) then
    raise exception '% may not approve operation %', who, given_operation using errcode = 'MD007';
  end if;
  if asked.status <> 'awaiting_approval' then
    raise exception 'operation % waits for no approval: it is %', given_operation, asked.status using errcode = 'MD004';
  end if;
  return query insert into ml_approvals as a (approval_id, operation_id, payload_hash, generation, approver, reason)
    values ('approval_' || gen_random_uuid(), given_operation, asked.payload_hash, (asked.plan ->> 'generation')::int, who,
      given_reason)
    on conflict (operation_id, payload_hash, generation, approver) where revoked_at is null do update set
      reason = case when a.expires_at > clock_timestamp() then a.reason else excluded.reason end,
      granted_at = case when a.expires_at > clock_timestamp() then a.granted_at else excluded.granted_at end,
      expires_at = case when a.expires_at > clock_timestamp() then a.expires_at else excluded.expires_at end
    returning a.*;
end $$;

-- Revokes the approvals of the token's principal that are not used yet.
create function ml_revoke_approval(given_token text, given_operation text, given_reason text)
returns setof ml_approvals language plpgsql security definer as $$
declare
  who text := ml_principal_of(given_token);
begin
  if who is null then
    raise exception 'no principal belongs to this token' using errcode = 'MD008';
  end if;
  return query update ml_approvals a
    set revoked_at = clock_timestamp(), revoked_by = a.approver, revoke_reason = given_reason
    where a.operation_id = given_operation and a.approver = who and a.used_at is null and a.revoked_at is null
      and a.expires_at > clock_timestamp()
    returning a.*;
end $$;

-- What runs with the owner's rights looks nowhere but in this schema and the catalogue, temporary tables last.
do $$
declare
  one text;
begin
  foreach one in array array['ml_grant_approval(text, text, text)', 'ml_revoke_approval(text, text, text)'] loop
    execute format('alter function %s set search_path = %I, pg_catalog, pg_temp', one, current_schema());
  end loop;
end $$;

-- How many approvals more a move needs whose requester is no principal that is known: its approver may be the same one.
alter table ml_gate_policies add column approvals_for_unknown integer not null default 1
  check (approvals_for_unknown >= 0);
