-- All that changed anything, in one chain: each entry is one line of JSON, and its hash is sha256 of the hash before it and
-- that line. Whoever keeps a hash elsewhere sees later whether what came before it still stands.
create table ml_audit (
  sequence bigint primary key,
  entry text not null,
  previous text not null,
  hash text not null unique
);
create trigger ml_audit_append_only before update or delete or truncate on ml_audit
  for each statement execute function ml_refuse_change();

-- The end of the chain. Its row is locked by whoever adds, at the end of their transaction, so that there is one order.
create table ml_audit_head (
  is_end boolean primary key default true check (is_end),
  sequence bigint not null,
  hash text not null
);

create function ml_audit_write(actor jsonb, action text, subject text, outcome text, details jsonb)
returns void language plpgsql security definer as $$
declare
  head record;
  line text;
  sealed text;
begin
  insert into ml_audit_head as h (sequence, hash) values (1, repeat('0', 64))
    on conflict (is_end) do update set sequence = h.sequence + 1
    returning h.sequence, h.hash into head;
  line := json_build_object(
    'sequence', head.sequence,
    'at', to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
    'who', coalesce(actor ->> 'who', 'unknown'), 'from', actor -> 'origin', 'action', action, 'subject', subject,
    'outcome', outcome, 'details', details
  )::text;
  sealed := encode(sha256(convert_to(head.hash || line, 'UTF8')), 'hex');
  insert into ml_audit (sequence, entry, previous, hash) values (head.sequence, line, head.hash, sealed);
  update ml_audit_head set hash = sealed;
end $$;

-- What the deployer tells by itself: a right that was refused, outcomes that were told, a sign-in.
create function ml_audit_tell(actor jsonb, action text, subject text, outcome text, details jsonb)
returns void language sql security definer as $$
  select ml_audit_write(actor, action, subject, outcome, details)
$$;

-- Adds a row that was inserted, or what an update changed of it. Arguments: the action, the column of its subject, the
-- column of who did it (or '' for who the transaction says), and columns that are left out.
create function ml_audit_row() returns trigger language plpgsql security definer as $$
declare
  told jsonb := nullif(current_setting('model_deployer.actor', true), '')::jsonb;
  now_is jsonb := to_jsonb(new) - string_to_array(tg_argv[3], ',');
  was jsonb := case when tg_op = 'UPDATE' then to_jsonb(old) - string_to_array(tg_argv[3], ',') else '{}' end;
  who text := coalesce(now_is ->> tg_argv[2], told ->> 'who', session_user::text);
  origin jsonb := case when told ->> 'who' = who then told -> 'origin' end;
  changed jsonb;
begin
  select coalesce(jsonb_object_agg(key, value), '{}') into changed
    from jsonb_each(now_is) where value is distinct from was -> key and value <> 'null';
  if tg_op = 'UPDATE' then
    if changed = '{}' then return null; end if;
    -- Who once wrote the row is not who changes it.
    who := coalesce(told ->> 'who', changed ->> 'revoked_by', 'model_deployer');
    origin := told -> 'origin';
  end if;
  perform ml_audit_write(
    jsonb_build_object('who', who, 'origin', origin), tg_argv[0], now_is ->> tg_argv[1], lower(tg_op), changed
  );
  return null;
end $$;

-- An operation when it is asked for, and when it ends.
create function ml_audit_operation() returns trigger language plpgsql security definer as $$
begin
  if tg_op = 'INSERT' then
    perform ml_audit_write(
      jsonb_build_object('who', new.requested_by, 'origin', new.asked_from), new.action, new.operation_id, 'asked',
      jsonb_build_object('request', new.request, 'person', new.person)
    );
  else
    perform ml_audit_write(
      jsonb_build_object('who', new.requested_by, 'origin', new.asked_from), new.action, new.operation_id, new.status,
      jsonb_strip_nulls(jsonb_build_object(
        'summary', new.plan -> 'summary', 'why', coalesce(new.refusal -> 'sentence', new.error -> 'message')
      ))
    );
  end if;
  return null;
end $$;

-- At the end of the transaction, which then holds the chain no longer than its commit takes.
create constraint trigger ml_operations_asked after insert on ml_operations deferrable initially deferred
  for each row execute function ml_audit_operation();
create constraint trigger ml_operations_ended after update on ml_operations deferrable initially deferred
  for each row when (old.finished_at is null and new.finished_at is not null) execute function ml_audit_operation();
create constraint trigger ml_approvals_audited after insert or update on ml_approvals deferrable initially deferred
  for each row execute function ml_audit_row('approval', 'operation_id', 'approver', 'payload_hash');
create constraint trigger ml_gate_policies_audited after insert on ml_gate_policies deferrable initially deferred
  for each row execute function ml_audit_row('gate_policy', 'experiment_id', 'set_by', '');
create constraint trigger ml_experiments_audited after insert or update on ml_experiments deferrable initially deferred
  for each row execute function ml_audit_row('experiment', 'experiment_id', 'created_by', '');
create constraint trigger ml_experiment_criteria_audited after insert on ml_experiment_criteria
  deferrable initially deferred
  for each row execute function ml_audit_row('criteria', 'experiment_id', 'set_by', '');
create constraint trigger ml_principals_audited after insert or update on ml_principals deferrable initially deferred
  for each row execute function ml_audit_row('principal', 'principal', '', '');
create constraint trigger ml_tokens_audited after insert or update on ml_tokens deferrable initially deferred
  for each row execute function ml_audit_row('token', 'principal', '', 'token_sha256,last_used_at');
create constraint trigger ml_grants_audited after insert or update on ml_grants deferrable initially deferred
  for each row execute function ml_audit_row('role', 'principal', '', '');
create constraint trigger ml_logins_audited after insert or update on ml_logins deferrable initially deferred
  for each row execute function ml_audit_row('login', 'principal', '', '');
create constraint trigger ml_stage_history_audited after insert on ml_stage_history deferrable initially deferred
  for each row execute function ml_audit_row('stage', 'model_version_id', 'changed_by', 'metrics,evidence');
create constraint trigger ml_traffic_history_audited after insert on ml_traffic_history deferrable initially deferred
  for each row execute function ml_audit_row('traffic', 'endpoint_name', 'changed_by', 'metrics,evidence');
create constraint trigger ml_rollout_history_audited after insert on ml_rollout_history deferrable initially deferred
  for each row execute function ml_audit_row('rollout', 'rollout_id', 'changed_by', 'metrics,evidence');

do $$
declare
  one text;
begin
  foreach one in array array[
    'ml_audit_write(jsonb, text, text, text, jsonb)', 'ml_audit_tell(jsonb, text, text, text, jsonb)',
    'ml_audit_row()', 'ml_audit_operation()'
  ] loop
    execute format('alter function %s set search_path = %I, pg_catalog, pg_temp', one, current_schema());
  end loop;
end $$;
