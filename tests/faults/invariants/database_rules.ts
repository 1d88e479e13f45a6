/**
 * Rules that hold in the database once nothing is under way any more. Each rule is a query over everything that breaks it,
 * one row a break, with what it is about in `found`. They read rows only, and trust no constraint of the tables.
 */
export interface DatabaseRule {
  rule: string;
  broken: string;
}

const oneAtMost: DatabaseRule[] = [
  {
    rule: "at most one version of an experiment is at production",
    broken: `select experiment_id || ': ' || string_agg(model_version_id, ', ') as found
      from ml_model_registry where stage = 'production' group by experiment_id having count(*) > 1`,
  },
  {
    rule: "an endpoint sends to more than one deployment only while a rollout of just these two is open",
    broken: `select e.endpoint_name || ': ' || e.weights::text as found from ml_endpoints e
      where (select count(*) from jsonb_each_text(e.weights) w where w.value::numeric > 0) > 1
        and not exists (
          select from ml_rollouts r where r.endpoint_name = e.endpoint_name and r.status in ('running', 'paused')
            and e.weights - r.deployment_id - r.baseline_deployment_id = '{}'
        )`,
  },
  {
    rule: "an operation makes at most one deployment",
    broken: `select operation_id || ': ' || string_agg(deployment_id, ', ') as found
      from ml_deployments group by operation_id having count(*) > 1`,
  },
  {
    rule: "an operation moves a version at most once",
    broken: `select operation_id || ': ' || model_version_id as found
      from ml_stage_history where operation_id is not null
      group by operation_id, model_version_id having count(*) > 1`,
  },
  {
    rule: "an operation that came to an end with something to tell tells it once",
    broken: `select o.operation_id || ' (' || o.action || ', ' || o.status || '): ' || count(x.entry_id) || ' events' as found
      from ml_operations o left join ml_outbox x on x.operation_id = o.operation_id and x.topic = 'episodic_memory'
      where o.finished_at is not null
      group by o.operation_id, o.action, o.status, o.plan
      having count(x.entry_id) <> (
        o.status <> 'succeeded' or jsonb_path_exists(o.plan, '$.on_success[*] ? (@.topic == "episodic_memory")')
      )::int`,
  },
  {
    rule: "a generation is acknowledged once, and after the ones before it",
    broken: `select endpoint_name || ' at ' || generation as found from (
        select endpoint_name, generation, history_id,
          lag(generation) over (partition by endpoint_name order by history_id) as before
        from ml_traffic_history
      ) as h where before >= generation`,
  },
];

const inAgreement: DatabaseRule[] = [
  {
    rule: "weights are shares that sum to 100, or there are none",
    broken: `select source || ': ' || weights::text as found from (
        select endpoint_name as source, weights from ml_endpoints
        union all select endpoint_name || ' at ' || generation, deployment_weights from ml_traffic_history
        union all select endpoint_name || ' at ' || generation || ' by version', version_weights from ml_traffic_history
      ) as w
      where weights <> '{}' and (
        select sum(value::numeric) <> 100 or bool_or(value::numeric not between 0 and 100)
        from jsonb_each_text(weights)
      )`,
  },
  {
    rule: "a deployment's share is what its endpoint's weights say",
    broken: `select d.deployment_id || ': ' || d.traffic_percentage as found
      from ml_deployments d left join ml_endpoints e using (endpoint_name)
      where d.traffic_percentage <> coalesce((e.weights ->> d.deployment_id)::numeric, 0)`,
  },
  {
    rule: "the router has acknowledged what is wanted, and the history says so",
    broken: `select e.endpoint_name || ': wanted ' || e.generation || ', acknowledged ' || e.observed_generation as found
      from ml_endpoints e
      where e.generation <> e.observed_generation or e.generation > 0 and not exists (
        select from ml_traffic_history h where h.endpoint_name = e.endpoint_name and h.generation = e.generation
          and h.deployment_weights = e.weights
          and h.mirror_deployment_id is not distinct from e.mirror_deployment_id
      )`,
  },
  {
    rule: "what gets traffic is active, or the candidate of an open rollout",
    broken: `select d.deployment_id || ' is ' || d.status as found
      from ml_deployments d join ml_endpoints e using (endpoint_name)
      where ((e.weights ->> d.deployment_id)::numeric > 0 or e.mirror_deployment_id = d.deployment_id)
        and d.status <> 'active' and not (d.status = 'deploying' and exists (
          select from ml_rollouts r where r.deployment_id = d.deployment_id and r.status in ('running', 'paused')
        ))`,
  },
  {
    rule: "an active deployment at staging or production gets traffic",
    broken: `select d.deployment_id || ' at ' || d.target_stage as found
      from ml_deployments d left join ml_endpoints e using (endpoint_name)
      where d.status = 'active' and d.target_stage <> 'shadow'
        and coalesce((e.weights ->> d.deployment_id)::numeric, 0) = 0`,
  },
];

/** Each row of a version's history follows from the one before it. */
const stageChain = `select h.*, lag(to_stage) over by_version as came_from, lag(stage_revision) over by_version as revision
  from ml_stage_history h window by_version as (partition by model_version_id order by stage_revision)`;

const stageOrder: DatabaseRule[] = [
  {
    rule: "a version begins in development",
    broken: `select model_version_id || ': ' || coalesce(from_stage::text, 'nowhere') || ' > ' || to_stage as found
      from (${stageChain}) as c where revision is null
        and (from_stage is not null or to_stage <> 'development' or stage_revision <> 0 or kind <> 'registration')`,
  },
  {
    rule: "a move begins where the one before it ended",
    broken: `select model_version_id || ', revision ' || stage_revision || ': from ' || from_stage as found
      from (${stageChain}) as c
      where revision is not null and (from_stage <> came_from or stage_revision <> revision + 1)`,
  },
  {
    rule: "no stage is skipped",
    broken: `select model_version_id || ': ' || from_stage || ' > ' || to_stage || ' (' || kind || ')' as found
      from ml_stage_history h left join ml_operations o using (operation_id)
      where from_stage is not null and (kind, from_stage::text, to_stage::text) not in (
        ('promotion', 'development', 'staging'), ('promotion', 'staging', 'shadow'),
        ('promotion', 'shadow', 'production'), ('supersession', 'production', 'archived'),
        ('archival', 'production', 'archived'), ('rollback', 'production', 'archived'),
        ('rollback', 'archived', 'production')
      ) and (o.action, kind, from_stage::text, to_stage::text)
        is distinct from ('retry', 'promotion', 'archived', 'production')`,
  },
  {
    rule: "a version is where its history ended",
    broken: `select v.model_version_id || ' is at ' || v.stage || ', revision ' || v.stage_revision as found
      from ml_model_registry v left join ml_stage_history h
        on h.model_version_id = v.model_version_id and h.stage_revision = v.stage_revision and h.to_stage = v.stage
      where h.history_id is null
        or (select count(*) from ml_stage_history a where a.model_version_id = v.model_version_id) <> v.stage_revision + 1`,
  },
];

const nothingLeft: DatabaseRule[] = [
  {
    rule: "no operation that has begun is unfinished",
    broken: `select operation_id || ' (' || action || ') is ' || status as found
      from ml_operations where status in ('planned', 'carrying_out')`,
  },
  {
    rule: "everything in the outbox is delivered",
    broken: `select dedupe_key || ' after ' || attempts || ' attempts: ' || coalesce(last_error, 'never tried') as found
      from ml_outbox where delivered_at is null`,
  },
  {
    rule: "no deployment is left half made",
    broken: `select deployment_id || ' is ' || status as found from ml_deployments d
      where status in ('pending', 'deploying') and not exists (
        select from ml_rollouts r where r.deployment_id = d.deployment_id and r.status in ('running', 'paused')
      )`,
  },
  {
    rule: "no rollout is paused without whoever paused it",
    broken: `select r.rollout_id as found from ml_rollouts r
      where r.status = 'paused' and jsonb_typeof(r.pause) is distinct from 'object' and not exists (
        select from ml_operations o where o.status in ('planned', 'carrying_out') and o.lease_name = r.endpoint_name
      )`,
  },
  {
    rule: "an approval is spent by the operation that it is for, once that has succeeded",
    broken: `select a.approval_id || ' of ' || a.operation_id as found
      from ml_approvals a join ml_operations o using (operation_id)
      where a.used_at is not null and o.status in ('claimed', 'awaiting_approval', 'refused')
        or a.used_at is null and o.status = 'succeeded' and a.expires_at > clock_timestamp()
          and a.generation = (o.plan ->> 'generation')::int
          and (select count(*) from ml_approvals u where u.operation_id = a.operation_id and u.used_at is not null)
            < (o.plan ->> 'approvals_needed')::int`,
  },
  {
    rule: "no approval is used after it has expired",
    broken: `select approval_id || ', used at ' || used_at || ', expired at ' || expires_at as found
      from ml_approvals where used_at > expires_at`,
  },
];

export const databaseRules: readonly DatabaseRule[] = [
  ...oneAtMost,
  ...inAgreement,
  ...stageOrder,
  ...nothingLeft,
];
