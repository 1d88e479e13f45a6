-- What the judge saw at each look, so that a rollout can be judged again under other settings. Of a long rollout fewer
-- looks are kept the longer it lasts: some 600 and 300 for each time that its age grows e-fold, about 1 KB each.
create table ml_rollout_looks (
  rollout_id text not null references ml_rollouts (rollout_id),
  looked_at timestamptz not null,
  look jsonb not null check (jsonb_typeof(look) = 'object'),
  primary key (rollout_id, looked_at)
);
create trigger ml_rollout_looks_append_only before update or delete or truncate on ml_rollout_looks
  for each statement execute function ml_refuse_change();

-- The judge's state before the first look; null for rollouts from before this migration, which cannot be judged again.
alter table ml_rollouts add column first_judge_state jsonb;
