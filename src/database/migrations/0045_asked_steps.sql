-- The steps that were asked for, before caution changed them. Null in rollouts that are older than this column.
alter table ml_rollouts add column asked_steps jsonb;
