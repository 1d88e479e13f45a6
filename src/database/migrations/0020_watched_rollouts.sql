-- Until when a completed rollout is judged. Whatever has a next tick is looked at, whether it runs, is paused or completed.
alter table ml_rollouts add column watched_until timestamptz;
drop index ml_rollouts_due;
create index ml_rollouts_due on ml_rollouts (next_tick_at) where next_tick_at is not null;
