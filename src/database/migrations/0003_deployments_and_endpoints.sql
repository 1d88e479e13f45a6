create table ml_deployments (
  deployment_id text primary key,
  model_version_id text not null references ml_model_registry (model_version_id),
  experiment_id text not null references ml_experiments (experiment_id),
  operation_id text not null references ml_operations (operation_id),
  target_stage model_stage_enum not null check (target_stage in ('staging', 'shadow', 'production')),
  endpoint_name text not null,
  endpoint_url text,
  status deployment_status_enum not null default 'pending',
  replicas integer not null default 1 check (replicas >= 1),
  cpu_limit text not null,
  memory_limit text not null,
  autoscaling jsonb not null,
  model_artifact_uri text not null,
  preprocessing_artifact_uri text,
  bento_tag text not null,
  traffic_percentage integer not null default 0 check (traffic_percentage between 0 and 100),
  previous_deployment_id text references ml_deployments (deployment_id),
  deployed_by agent_name_enum not null default 'model_deployer',
  deployed_at timestamptz not null default clock_timestamp(),
  activated_at timestamptz,
  deployment_duration_seconds numeric(10, 2),
  drain_due_at timestamptz,
  drained_at timestamptz,
  -- While in the future, one worker is stopping the server: no traffic may be given to it, nor may it become active.
  stopping_until timestamptz,
  rolled_back_at timestamptz,
  rollback_reason text,
  unique (deployment_id, endpoint_name)
);
create index idx_deployment_active on ml_deployments (status) where status = 'active';
create index ml_deployments_endpoint on ml_deployments (endpoint_name, deployed_at desc);
create index ml_deployments_version on ml_deployments (model_version_id, deployed_at desc);
create index ml_deployments_drain_due on ml_deployments (drain_due_at)
  where drain_due_at is not null and drained_at is null;

-- Contract: true for an empty object, and for whole percents (0..100) by deployment id that sum to 100.
create function ml_weights_valid(weights jsonb) returns boolean language sql immutable as $$
  select jsonb_typeof(weights) = 'object' and coalesce((
    select sum(share) = 100 and bool_and(share between 0 and 100 and share = trunc(share))
    from (
      select case jsonb_typeof(value) when 'number' then value::text::numeric else -1 end as share
      from jsonb_each(case jsonb_typeof(weights) when 'object' then weights else '{"":-1}' end)
    ) as shares
  ), true)
$$;

-- The one authority on traffic. `weights` is what is wanted; `observed_generation` is what the router acknowledged.
create table ml_endpoints (
  endpoint_name text primary key,
  experiment_id text not null references ml_experiments (experiment_id),
  endpoint_url text not null,
  generation integer not null default 0 check (generation >= 0),
  weights jsonb not null default '{}',
  mirror_deployment_id text,
  observed_generation integer not null default 0 check (observed_generation >= 0),
  observed_at timestamptz,
  -- Who wanted the present generation, when and why: goes into the history once the router has acknowledged it.
  wanted_at timestamptz,
  wanted_by text,
  wanted_reason text,
  wanted_operation_id text references ml_operations (operation_id),
  -- The figures that the wanted generation was decided by, for the same history.
  wanted_metrics jsonb not null default '{}' check (jsonb_typeof(wanted_metrics) = 'object'),
  wanted_evidence jsonb not null default '{}' check (jsonb_typeof(wanted_evidence) = 'object'),
  created_at timestamptz not null default clock_timestamp(),
  constraint ml_endpoints_weights_sum_to_100 check (ml_weights_valid(weights)),
  constraint ml_endpoints_mirror_not_weighted check (
    mirror_deployment_id is null or coalesce((weights ->> mirror_deployment_id)::numeric, 0) = 0
  ),
  constraint ml_endpoints_observed_was_wanted check (observed_generation <= generation),
  foreign key (mirror_deployment_id, endpoint_name) references ml_deployments (deployment_id, endpoint_name)
);
-- Evidence is collected from these alone, page by page.
create index ml_endpoints_mirrored on ml_endpoints (endpoint_name) where mirror_deployment_id is not null;

-- Contract: traffic changes only together with the next generation; what was observed never becomes unobserved.
create function ml_fence_generation() returns trigger language plpgsql as $$
declare
  moved boolean := (old.weights, old.mirror_deployment_id) is distinct from (new.weights, new.mirror_deployment_id);
begin
  if new.generation not in (old.generation, old.generation + 1) or (moved and new.generation = old.generation) then
    raise exception '%: a change of traffic raises the generation % by one', new.endpoint_name, old.generation
      using errcode = 'MD003';
  end if;
  if new.observed_generation < old.observed_generation then
    raise exception '%: generation % was observed', new.endpoint_name, old.observed_generation using errcode = 'MD003';
  end if;
  return new;
end $$;
create trigger ml_endpoints_generation before update on ml_endpoints
  for each row execute function ml_fence_generation();

-- Contract: traffic_percentage of the endpoint's deployments follows its weights in the same transaction, and a weight
-- names a deployment of this endpoint.
create function ml_follow_weights() returns trigger language plpgsql as $$
declare
  stranger text;
begin
  select key into stranger from jsonb_object_keys(new.weights) as key where not exists (
    select from ml_deployments d where d.deployment_id = key and d.endpoint_name = new.endpoint_name
  );
  if stranger is not null then
    raise exception '% is no deployment of endpoint %', stranger, new.endpoint_name using errcode = 'MD005';
  end if;
  update ml_deployments set traffic_percentage = coalesce((new.weights ->> deployment_id)::numeric, 0)
  where endpoint_name = new.endpoint_name
    and traffic_percentage <> coalesce((new.weights ->> deployment_id)::numeric, 0);
  return null;
end $$;
create trigger ml_endpoints_traffic after insert or update of weights on ml_endpoints
  for each row execute function ml_follow_weights();

-- Contract: a deployment's traffic_percentage says what its endpoint's weights say, whoever writes it.
create function ml_check_traffic() returns trigger language plpgsql as $$
declare
  wanted numeric := coalesce(
    (select (weights ->> new.deployment_id)::numeric from ml_endpoints where endpoint_name = new.endpoint_name), 0
  );
begin
  if new.traffic_percentage <> wanted then
    raise exception '%: traffic_percentage % but its endpoint gives it %', new.deployment_id, new.traffic_percentage,
      wanted using errcode = 'MD003';
  end if;
  return new;
end $$;
create trigger ml_deployments_traffic before insert or update of traffic_percentage, endpoint_name on ml_deployments
  for each row execute function ml_check_traffic();

-- Servers that could not be started again, for all workers together: none is tried before its time.
create table ml_server_restarts (
  deployment_id text primary key references ml_deployments (deployment_id),
  -- In a row; 0 once it answers again.
  failures integer not null check (failures >= 0),
  last_error text,
  next_try_at timestamptz,
  check ((failures > 0) = (next_try_at is not null))
);
