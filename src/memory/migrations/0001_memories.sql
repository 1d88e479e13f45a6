-- Episodic and procedural memory, for Supabase and for a plain Postgres alike. Applied by migrateMemory; on a
-- Supabase project its owner runs it once, in the SQL editor or with `psql -f`. It can be run again without harm.
-- Files in this folder are append-only: a change is a new file with the next number.

-- Supabase brings service_role. Elsewhere it is made here, so that the policies below mean the same everywhere. A role
-- belongs to the whole server, hence the tolerance for another database's migration making it at the same moment.
do $$
begin
  if not exists (select from pg_roles where rolname = 'service_role') then
    begin
      create role service_role nologin;
    exception when duplicate_object or unique_violation then
      raise notice 'service_role was made at the same moment by somebody else';
    end;
    if not (select rolsuper from pg_roles where rolname = current_user) then
      execute format('grant service_role to %I', current_user);
    end if;
  end if;
end
$$;

do $$
begin
  if to_regtype('public.memory_event_type') is null then
    create type public.memory_event_type as enum
      ('agent_action', 'system_event', 'error', 'experiment_completed');
  end if;
  if to_regtype('public.memory_outcome_type') is null then
    create type public.memory_outcome_type as enum
      ('success', 'partial_success', 'failure', 'pending', 'escalated');
  end if;
  if to_regtype('public.memory_procedure_type') is null then
    create type public.memory_procedure_type as enum
      ('tool_sequence', 'error_recovery', 'optimization');
  end if;
end
$$;

-- 262144 bytes of JSON keep a row far below what tsvector (1 MB) and a REST answer of 200 rows can carry.
create table if not exists public.episodic_memories (
  memory_id bigint generated always as identity primary key,
  dedupe_key text not null check (dedupe_key <> '' and octet_length(dedupe_key) <= 1024),
  event_type public.memory_event_type not null,
  event_subtype text not null,
  description text not null check (octet_length(description) <= 65536),
  raw_content jsonb not null default '{}' check (octet_length(raw_content::text) <= 262144),
  experiment_id text,
  endpoint_name text,
  outcome_type public.memory_outcome_type not null,
  outcome_details jsonb not null default '{}' check (octet_length(outcome_details::text) <= 262144),
  agent_name text not null default 'model_deployer',
  importance_score real not null default 0.5 check (importance_score between 0 and 1),
  occurred_at timestamptz not null,
  created_at timestamptz not null default now(),
  search_text tsvector generated always as (
    to_tsvector(
      'english'::regconfig,
      description || ' ' || replace(event_subtype, '_', ' ') || ' ' || coalesce(endpoint_name, '') || ' '
        || coalesce(experiment_id, '')
    ) || jsonb_to_tsvector('english'::regconfig, outcome_details, '["string"]')
  ) stored,
  -- Several agents keep their episodes here, each under keys of its own.
  constraint episodic_memories_one_for_each_key unique (agent_name, dedupe_key)
);

create index if not exists episodic_memories_by_experiment
  on public.episodic_memories (experiment_id, occurred_at desc, memory_id desc);
create index if not exists episodic_memories_by_endpoint
  on public.episodic_memories (endpoint_name, occurred_at desc, memory_id desc);
create index if not exists episodic_memories_by_time
  on public.episodic_memories (occurred_at desc, memory_id desc);
create index if not exists episodic_memories_by_text
  on public.episodic_memories using gin (search_text);

create table if not exists public.procedural_memories (
  procedure_id bigint generated always as identity primary key,
  procedure_name text not null check (procedure_name <> ''),
  procedure_type public.memory_procedure_type not null,
  tool_sequence jsonb not null
    check (jsonb_typeof(tool_sequence) = 'array' and octet_length(tool_sequence::text) <= 262144),
  trigger_pattern text not null check (trigger_pattern <> ''),
  usage_count integer not null default 0 check (usage_count >= 0),
  success_count integer not null default 0 check (success_count between 0 and usage_count),
  success_rate double precision generated always as (
    case when usage_count = 0 then 0 else success_count::double precision / usage_count end
  ) stored,
  avg_execution_time_ms double precision not null default 0,
  created_at timestamptz not null default now(),
  last_used_at timestamptz,
  unique (trigger_pattern, procedure_name, procedure_type)
);

create table if not exists public.procedural_memory_uses (
  dedupe_key text primary key check (dedupe_key <> '' and octet_length(dedupe_key) <= 1024),
  procedure_id bigint not null references public.procedural_memories (procedure_id) on delete cascade,
  succeeded boolean not null,
  duration_ms double precision not null check (duration_ms >= 0 and duration_ms < 'infinity'),
  used_at timestamptz not null default now()
);

create index if not exists procedural_memory_uses_by_procedure
  on public.procedural_memory_uses (procedure_id);

-- Counts a use once for each key. The insert of the use comes before the count, so that of two equal uses that arrive
-- together one waits for the other and then finds it done. The newest tool sequence of a procedure is kept.
create or replace function public.record_procedural_memory_use(
  used_name text,
  used_type text,
  used_tool_sequence jsonb,
  used_trigger_pattern text,
  used_dedupe_key text,
  used_succeeded boolean,
  used_duration_ms double precision
) returns boolean
language plpgsql
security invoker
set search_path = pg_catalog, public
as $$
declare
  found_id bigint;
begin
  insert into procedural_memories (procedure_name, procedure_type, tool_sequence, trigger_pattern)
  values (used_name, used_type::memory_procedure_type, used_tool_sequence, used_trigger_pattern)
  on conflict (trigger_pattern, procedure_name, procedure_type) do nothing;

  select procedure_id into strict found_id
  from procedural_memories
  where trigger_pattern = used_trigger_pattern
    and procedure_name = used_name
    and procedure_type = used_type::memory_procedure_type;

  insert into procedural_memory_uses (dedupe_key, procedure_id, succeeded, duration_ms)
  values (used_dedupe_key, found_id, used_succeeded, used_duration_ms)
  on conflict (dedupe_key) do nothing;
  if not found then
    return false;
  end if;

  update procedural_memories
  set tool_sequence = used_tool_sequence,
      usage_count = usage_count + 1,
      success_count = success_count + case when used_succeeded then 1 else 0 end,
      avg_execution_time_ms =
        avg_execution_time_ms + (used_duration_ms - avg_execution_time_ms) / (usage_count + 1),
      last_used_at = now()
  where procedure_id = found_id;
  return true;
end
$$;

-- The embeddings are vectors of 1536 numbers where pgvector is on offer and may be switched on; a plain Postgres keeps
-- them as real[], which stores the same numbers but cannot be searched by similarity. Nothing here writes them yet.
do $$
declare
  embedding_type text := 'real[]';
begin
  if exists (select from pg_available_extensions where name = 'vector') then
    begin
      if to_regnamespace('extensions') is not null then
        create extension if not exists vector with schema extensions;
      else
        create extension if not exists vector;
      end if;
    exception when insufficient_privilege then
      raise notice 'vector is on offer but may not be switched on: %', sqlerrm;
    end;
  end if;
  select format('%I.vector(1536)', n.nspname) into embedding_type
  from pg_extension e join pg_namespace n on n.oid = e.extnamespace
  where e.extname = 'vector';
  embedding_type := coalesce(embedding_type, 'real[]');
  execute format('alter table public.episodic_memories add column if not exists embedding %s', embedding_type);
  execute format('alter table public.procedural_memories add column if not exists trigger_embedding %s', embedding_type);
end
$$;

-- Memories are for the service alone: no policy names anon or authenticated, and episodes and uses are never changed.
alter table public.episodic_memories enable row level security;
alter table public.procedural_memories enable row level security;
alter table public.procedural_memory_uses enable row level security;

drop policy if exists episodic_memories_read on public.episodic_memories;
create policy episodic_memories_read on public.episodic_memories for select to service_role using (true);
drop policy if exists episodic_memories_add on public.episodic_memories;
create policy episodic_memories_add on public.episodic_memories for insert to service_role with check (true);

drop policy if exists procedural_memories_read on public.procedural_memories;
create policy procedural_memories_read on public.procedural_memories for select to service_role using (true);
drop policy if exists procedural_memories_add on public.procedural_memories;
create policy procedural_memories_add on public.procedural_memories for insert to service_role with check (true);
drop policy if exists procedural_memories_count on public.procedural_memories;
create policy procedural_memories_count on public.procedural_memories for update to service_role
  using (true) with check (true);

drop policy if exists procedural_memory_uses_read on public.procedural_memory_uses;
create policy procedural_memory_uses_read on public.procedural_memory_uses for select to service_role using (true);
drop policy if exists procedural_memory_uses_add on public.procedural_memory_uses;
create policy procedural_memory_uses_add on public.procedural_memory_uses for insert to service_role with check (true);

revoke all on public.episodic_memories, public.procedural_memories, public.procedural_memory_uses from public;
do $$
declare
  outsider text;
begin
  foreach outsider in array array['anon', 'authenticated'] loop
    if exists (select from pg_roles where rolname = outsider) then
      execute format(
        'revoke all on public.episodic_memories, public.procedural_memories, public.procedural_memory_uses from %I',
        outsider
      );
      execute format(
        'revoke execute on function public.record_procedural_memory_use(text, text, jsonb, text, text, boolean, double precision) from %I',
        outsider
      );
    end if;
  end loop;
end
$$;
revoke execute on function public.record_procedural_memory_use(text, text, jsonb, text, text, boolean, double precision)
  from public;

grant usage on schema public to service_role;
grant select, insert on public.episodic_memories, public.procedural_memory_uses to service_role;
grant select, insert, update on public.procedural_memories to service_role;
grant execute on function
  public.record_procedural_memory_use(text, text, jsonb, text, text, boolean, double precision) to service_role;

-- PostgREST caches the schema; this tells it that the tables are here.
notify pgrst, 'reload schema';
