-- Who may call an endpoint, and how much. The newest policy of an endpoint holds.
create table ml_ingress_policies (
  sequence bigint generated always as identity primary key,
  endpoint_name text not null check (btrim(endpoint_name) <> ''),
  experiment_id text not null references ml_experiments (experiment_id),
  policy jsonb not null,
  reason text not null check (btrim(reason) <> ''),
  set_by text not null,
  set_at timestamptz not null default clock_timestamp()
);
create index ml_ingress_policies_newest on ml_ingress_policies (endpoint_name, sequence desc);
create trigger ml_ingress_policies_append_only before update or delete or truncate on ml_ingress_policies
  for each statement execute function ml_refuse_change();
create constraint trigger ml_ingress_policies_audited after insert on ml_ingress_policies
  deferrable initially deferred
  for each row execute function ml_audit_row('ingress_policy', 'endpoint_name', 'set_by', '');

-- Keys of endpoints, by the public half of the pair that signed each; nobody has the other half.
create table ml_api_keys (
  key_id text primary key,
  endpoint_name text not null,
  experiment_id text not null references ml_experiments (experiment_id),
  key_name text not null check (btrim(key_name) <> ''),
  public_key jsonb not null unique,
  made_at timestamptz not null default clock_timestamp(),
  made_by text not null,
  expires_at timestamptz not null,
  revoked_at timestamptz,
  revoked_by text,
  check (expires_at > made_at),
  check ((revoked_at is null) = (revoked_by is null))
);
create index ml_api_keys_of on ml_api_keys (endpoint_name);

-- Contract: a key stays what it is, and is revoked once; none is ever deleted, for the count of keys tells one revision of
-- an endpoint's policy from the next.
create function ml_keep_api_key() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' or old.revoked_at is not null
    or (old.key_id, old.endpoint_name, old.experiment_id, old.key_name, old.public_key, old.made_at, old.made_by,
        old.expires_at) is distinct from
      (new.key_id, new.endpoint_name, new.experiment_id, new.key_name, new.public_key, new.made_at, new.made_by,
        new.expires_at) then
    raise exception 'key % stays as it is', old.key_id using errcode = 'MD004';
  end if;
  return new;
end $$;
create trigger ml_api_keys_kept before update or delete on ml_api_keys
  for each row execute function ml_keep_api_key();
create constraint trigger ml_api_keys_audited after insert or update on ml_api_keys deferrable initially deferred
  for each row execute function ml_audit_row('api_key', 'endpoint_name', 'made_by', 'public_key');
