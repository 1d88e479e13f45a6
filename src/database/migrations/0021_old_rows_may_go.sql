-- Contract: what was kept to look at a rollout again never changes; it may go once the rollout has ended, a day later in a
-- standard installation.
create function ml_keep_while_rollout_lasts() returns trigger language plpgsql as $$
declare
  wait interval := case when exists (select from ml_installation where kind = 'demo') then interval '0'
    else interval '1 day' end;
begin
  if exists (
    select from ml_rollouts r where r.rollout_id = old.rollout_id and (
      r.status in ('running', 'paused') or r.updated_at > clock_timestamp() - wait
      or r.watched_until > clock_timestamp() - wait)
  ) then
    raise exception '% is append-only while rollout % lasts, and for % after it: delete refused', tg_table_name,
      old.rollout_id, wait using errcode = 'MD001';
  end if;
  return old;
end $$;

drop trigger ml_rollout_looks_append_only on ml_rollout_looks;
create trigger ml_rollout_looks_append_only before update or truncate on ml_rollout_looks
  for each statement execute function ml_refuse_change();
create trigger ml_rollout_looks_kept before delete on ml_rollout_looks
  for each row execute function ml_keep_while_rollout_lasts();

drop trigger ml_verdict_history_append_only on ml_verdict_history;
create trigger ml_verdict_history_append_only before update or truncate on ml_verdict_history
  for each statement execute function ml_refuse_change();
create trigger ml_verdict_history_kept before delete on ml_verdict_history
  for each row execute function ml_keep_while_rollout_lasts();

-- Trials of a way back: brought up once, off the road, and ended again.
create table ml_rehearsals (
  rehearsal_id bigint generated always as identity primary key,
  rehearsed_at timestamptz not null default clock_timestamp(),
  endpoint_name text not null references ml_endpoints (endpoint_name),
  deployment_id text references ml_deployments (deployment_id),
  -- `none`: there is no way back; `unready`: it cannot be started without something being made or fetched first.
  outcome text not null check (outcome in ('works', 'fails', 'unready', 'none')),
  -- From the start of its process to its first answer.
  cold_seconds double precision check (cold_seconds >= 0),
  reason text not null,
  rehearsed_by text not null,
  check ((outcome = 'works') = (cold_seconds is not null))
);
create index ml_rehearsals_newest on ml_rehearsals (endpoint_name, rehearsed_at desc);
create trigger ml_rehearsals_append_only before update or delete or truncate on ml_rehearsals
  for each statement execute function ml_refuse_change();
