-- When a life of the router's counters was seen first. What lies between two lives was seen by nobody, and counts for no
-- hours. Rows of before have their lives follow one another, as they were counted then.
alter table ml_shadow_evidence add column began_at timestamptz;

update ml_shadow_evidence s set began_at = known.began_at
from (
  select deployment_id, epoch, least(collected_at, coalesce(
    lag(collected_at) over (partition by deployment_id order by collected_at), d.activated_at, collected_at
  )) as began_at
  from ml_shadow_evidence join ml_deployments d using (deployment_id)
) known
where known.deployment_id = s.deployment_id and known.epoch = s.epoch;

alter table ml_shadow_evidence
  alter column began_at set default clock_timestamp(),
  alter column began_at set not null;
