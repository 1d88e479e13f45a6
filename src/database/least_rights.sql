-- Run after each migration, by the owner; does nothing where all is as it should be.
--
-- The deployer works as a role of its own: it may read and add, change what is not append-only, and delete nothing but
-- predictions that no longer wait for their counterpart; it owns no table and may make none. Who may approve, and what
-- production asks for, it may only read: these are the owner's to write; an experiment's criteria it may write once.
-- Row-level security is on for every table, so that a role that is granted a table by mistake still sees no row. Where
-- the role cannot be made, the owner goes on as itself, and `rights` says so.
do $$
declare
  app constant name := 'model_deployer_app';
  place constant name := current_schema();
  one record;
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
      continue when verb = 'insert' and one.relname = 'ml_installation';
      if verb <> 'select' and one.relname in ('ml_principals', 'ml_gate_policies')
        or verb = 'update' and one.relname = 'ml_experiments' then
        -- Earlier versions granted it.
        if has_table_privilege(app, one.oid, verb) then
          execute format('revoke %s on %I.%I from %I', verb, place, one.relname, app);
        end if;
        continue;
      end if;
      continue when verb = 'update' and one.append_only;
      continue when verb = 'delete' and one.relname <> 'ml_unpaired_predictions';
      if not has_table_privilege(app, one.oid, verb) then
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
