-- What the judge decided at each look that differs from the one before, thinned as a rollout grows old: a rollout keeps its
-- first looks closely and some hundred in all, whatever its length.
create table ml_verdict_history (
  look_id bigint generated always as identity primary key,
  rollout_id text not null references ml_rollouts (rollout_id),
  looked_at timestamptz not null default clock_timestamp(),
  status text not null,
  step_index integer not null,
  -- The share that the candidate was wanted to have at that moment, percent.
  candidate_weight integer not null,
  -- Whether the baseline had a share back for a comparison.
  challenged boolean not null,
  verdict jsonb not null
);
create index ml_verdict_history_rollout on ml_verdict_history (rollout_id, looked_at);
create trigger ml_verdict_history_append_only before update or delete or truncate on ml_verdict_history
  for each statement execute function ml_refuse_change();

-- Contract: a look that changes what is decided is kept; of the others one in two seconds, or in a hundredth of the
-- rollout's age where that is longer.
create function ml_keep_verdict() returns trigger language plpgsql as $$
declare
  last record;
begin
  select looked_at, status, step_index, verdict ->> 'outcome' as outcome, challenged into last
  from ml_verdict_history where rollout_id = new.rollout_id order by looked_at desc, look_id desc limit 1;
  if last.looked_at is null
    or (last.status, last.step_index, last.outcome, last.challenged) is distinct from
       (new.status, new.step_index, new.verdict ->> 'outcome', new.judge_state ->> 'challenged_for' is not null)
    or clock_timestamp() - last.looked_at
       > greatest(interval '2 seconds', (clock_timestamp() - new.created_at) / 100) then
    insert into ml_verdict_history (rollout_id, status, step_index, candidate_weight, challenged, verdict)
    values (
      new.rollout_id, new.status, new.step_index,
      coalesce((select (e.weights ->> new.deployment_id)::numeric from ml_endpoints e
                where e.endpoint_name = new.endpoint_name), 0),
      new.judge_state ->> 'challenged_for' is not null, new.verdict
    );
  end if;
  return null;
end $$;
create trigger ml_rollouts_verdicts after update on ml_rollouts for each row
  when (new.verdict is not null and (old.verdict, old.status, old.step_index)
    is distinct from (new.verdict, new.status, new.step_index)) execute function ml_keep_verdict();

-- The newest operations, for whoever looks at what was asked for.
create index ml_operations_created on ml_operations (created_at desc);
