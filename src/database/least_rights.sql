-- Run after each migration, by the owner; does nothing where all is as it should be.
--
-- The deployer works as a role of its own: it may read and add, change the columns that `changing` names and no other, and
-- delete nothing but predictions, outcomes and rows that are no longer waited for, looks of rollouts that have ended and messages
-- that were delivered (which triggers check), workers that are gone and keys of answered requests; it owns no table and may make none. A column
-- that a migration adds to one of these tables is fixed once written unless it is named here; a table that is not named
-- may be changed whole, or not at all where it is append-only. Who may do what, who may call, and what production asks for, it
-- may only read: these are the owner's to write; an experiment's criteria it may write once. An approval it adds by a function
-- alone, which asks for the approver's token; such functions run with the owner's rights, and for nobody else. Who is told of what is
-- the owner's too, and how a sink fares is not.
-- Row-level security is on for every table, so that a role that is granted a table by mistake still sees no row. Where
-- the role cannot be made, the owner goes on as itself, and `rights` says so.
do $$
declare
  app constant name := 'model_deployer_app';
  place constant name := current_schema();
  changing constant jsonb := '{
    "ml_model_registry": ["stage", "stage_revision", "promoted_at"],
    "ml_leases": ["holder", "token", "acquired_at", "expires_at", "released", "background"],
    "ml_operations": ["status", "plan", "refusal", "result", "error", "lease_name", "lease_token", "updated_at",
      "finished_at", "waits_until"],
    "ml_outbox": ["attempts", "next_attempt_at", "delivered_at", "last_error", "refusals", "set_aside_at"],
    "ml_deployments": ["status", "endpoint_url", "traffic_percentage", "deployed_at", "activated_at",
      "deployment_duration_seconds", "drain_due_at", "drained_at", "stopping_until", "rolled_back_at",
      "rollback_reason", "replicas", "cpu_limit", "memory_limit", "autoscaling"],
    "ml_endpoints": ["generation", "weights", "mirror_deployment_id", "observed_generation", "observed_at", "wanted_at",
      "wanted_by", "wanted_reason", "wanted_operation_id", "wanted_metrics", "wanted_evidence"],
    "ml_server_restarts": ["failures", "last_error", "next_try_at"],
    "ml_approvals": ["used_at"],
    "ml_tokens": ["last_used_at"],
    "ml_rollouts": ["status", "step_index", "step_started_at", "next_tick_at", "inconclusive_looks", "judge_state",
      "verdict", "watched_until", "pause", "claimed_until", "updated_at"],
    "ml_shadow_evidence": ["requests", "errors", "p99_ms", "collected_at", "production_errors", "production_seen"],
    "ml_shadow_comparisons": ["pairs", "disagreements", "scored", "higher", "lower", "sum_difference",
      "sum_absolute_difference", "positions", "collected_at", "repeated_ids"],
    "ml_unpaired_predictions": ["is_repeated", "paired_at"],
    "ml_answers": ["deployment_id", "prediction", "score", "has_failed", "answered_at", "compared_at"],
    "ml_answer_logs": ["positions", "stretches", "repeated_ids", "read_answers"],
    "ml_outcomes": [],
    "ml_outcome_comparisons": ["evidence", "updated_at"],
    "ml_notification_sinks": ["failing_since", "failures", "next_attempt_at", "last_error", "last_delivered_at"],
    "ml_answered_requests": ["payload_hash", "answer", "claimed_at"],
    "ml_kept_rows": [],
    "ml_row_answers": [],
    "ml_row_logs": ["positions"],
    "ml_workers": ["seen_at", "ended_at"]
  }';
  one record;
  part record;
  verb text;
begin
  if not exists (select from pg_roles where rolname = app) then
    begin
      execute format('create role %I nologin', app);
    exception
      when duplicate_object or unique_violation then null;
      when insufficient_privilege then raise notice '% could not be made: %', app, sqlerrm;
    end;
  end if;
  for one in
    select c.oid, c.relname, c.relrowsecurity, exists (
      select from pg_trigger t join pg_proc p on p.oid = t.tgfoid
      where t.tgrelid = c.oid and p.proname = 'ml_refuse_change'
    ) as append_only
    from pg_class c
    where c.relnamespace = place::regnamespace and c.relkind in ('r', 'p') and c.relname like 'ml\_%'
  loop
    if not one.relrowsecurity then
      execute format('alter table %I.%I enable row level security', place, one.relname);
    end if;
    continue when not exists (select from pg_roles where rolname = app);
    foreach verb in array array['select', 'insert', 'update', 'delete'] loop
      continue when verb = 'insert' and one.relname in ('ml_installation', 'ml_notification_sinks');
      if verb <> 'select' and one.relname in ('ml_principals', 'ml_gate_policies', 'ml_experiment_criteria', 'ml_grants',
          'ml_logins', 'ml_session_renewals', 'ml_audit', 'ml_audit_head', 'ml_ingress_policies', 'ml_api_keys')
        or verb = 'update' and one.relname = 'ml_experiments'
        or verb = 'insert' and one.relname in ('ml_approvals', 'ml_tokens') then
        -- Earlier versions granted it.
        if has_table_privilege(app, one.oid, verb) then
          execute format('revoke %s on %I.%I from %I', verb, place, one.relname, app);
        end if;
        continue;
      end if;
      continue when verb = 'update' and one.append_only;
      continue when verb = 'delete' and one.relname not in ('ml_unpaired_predictions', 'ml_answers', 'ml_outcomes',
        'ml_rollout_looks', 'ml_verdict_history', 'ml_workers', 'ml_kept_rows', 'ml_row_answers', 'ml_row_logs',
        'ml_answered_requests', 'ml_outbox');
      if verb = 'update' and changing ? one.relname then
        -- Earlier versions granted it for the whole table.
        if has_table_privilege(app, one.oid, verb) then
          execute format('revoke update on %I.%I from %I', place, one.relname, app);
        end if;
        for part in
          select attname, changing -> one.relname ? attname::text as changes,
            has_column_privilege(app, one.oid, attnum, verb) as granted
          from pg_attribute where attrelid = one.oid and attnum > 0 and not attisdropped
        loop
          if part.changes and not part.granted then
            execute format('grant update (%I) on %I.%I to %I', part.attname, place, one.relname, app);
          elsif part.granted and not part.changes then
            execute format('revoke update (%I) on %I.%I from %I', part.attname, place, one.relname, app);
          end if;
        end loop;
      elsif not has_table_privilege(app, one.oid, verb) then
        execute format('grant %s on %I.%I to %I', verb, place, one.relname, app);
      end if;
      continue when exists (select from pg_policy where polrelid = one.oid and polname = app || '_' || verb);
      execute format(
        'create policy %I on %I.%I for %s to %I %s', app || '_' || verb, place, one.relname, verb, app,
        case verb when 'insert' then 'with check (true)' when 'update' then 'using (true) with check (true)'
          else 'using (true)' end
      );
    end loop;
  end loop;
  for one in
    select p.oid, p.oid::regprocedure::text as signature, exists (
      select from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) where grantee = 0
    ) as open from pg_proc p
    where p.pronamespace = place::regnamespace and p.prosecdef and p.proname like 'ml\_%'
  loop
    foreach verb in array array['public', 'anon', 'authenticated'] loop
      continue when verb = 'public' and not one.open;
      if verb <> 'public' then
        continue when not exists (select from pg_roles where rolname = verb);
        continue when not has_function_privilege(verb, one.oid, 'execute');
      end if;
      execute format('revoke all on function %s from %s', one.signature, verb);
    end loop;
    continue when not exists (select from pg_roles where rolname = app);
    continue when has_function_privilege(app, one.oid, 'execute');
    execute format('grant execute on function %s to %I', one.signature, app);
  end loop;
  if exists (select from pg_roles where rolname = app) then
    if not has_table_privilege(app, format('%I.schema_migrations', place), 'select') then
      execute format('grant select on %I.schema_migrations to %I', place, app);
    end if;
    if not has_schema_privilege(app, place, 'usage') then
      execute format('grant usage on schema %I to %I', place, app);
    end if;
    if not pg_has_role(current_user, app, 'member') then
      begin
        execute format('grant %I to %I', app, current_user);
      exception when insufficient_privilege then raise notice '% is not for %: %', app, current_user, sqlerrm;
      end;
    end if;
  end if;
end $$;
