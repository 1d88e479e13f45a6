-- An agent's episodes by how near their embeddings are, by cosine distance. It exists only where the column is a pgvector;
-- elsewhere who asks is told that there is no such function, and searches the text instead.
do $$
declare
  vector_schema text;
begin
  select n.nspname into vector_schema
  from pg_attribute a join pg_type t on t.oid = a.atttypid join pg_namespace n on n.oid = t.typnamespace
  where a.attrelid = 'public.episodic_memories'::regclass and a.attname = 'embedding' and t.typname = 'vector';
  if vector_schema is null then
    return;
  end if;
  execute format($create$
    create or replace function public.similar_episodic_memories(wanted real[], how_many integer, of_agent text)
    returns setof public.episodic_memories
    language sql stable security invoker
    set search_path = pg_catalog, public, %I
    as $body$
      select * from episodic_memories
      where embedding is not null and agent_name = of_agent and event_type = 'agent_action'
      order by embedding <=> wanted::vector, memory_id desc
      limit how_many
    $body$
  $create$, vector_schema);
  revoke execute on function public.similar_episodic_memories(real[], integer, text) from public;
  grant execute on function public.similar_episodic_memories(real[], integer, text) to service_role;
end
$$;

notify pgrst, 'reload schema';
