import type pg from "pg";
import { newJudgeState } from "../../src/agents/model_deployer/judge/observe.ts";
import { defaultJudgeSettings } from "../../src/agents/model_deployer/domain/traffic/rollout_plan.ts";

const steps = [
  { weight: 10, bake_seconds: 86_400 },
  { weight: 100, bake_seconds: 0 },
];

/** A step that is due at each look which has enough answers. */
const movingSteps = [20, 40, 60, 80, 100].map((weight) => ({ weight, bake_seconds: 0 }));

/**
 * So many endpoints, each with an old version, a new one, and a rollout at its first step that is due now;
 * the first `moving` of them have another step due at each look.
 */
export async function seedRollouts(client: pg.Client, rollouts: number, moving: number): Promise<void> {
  const each = `generate_series(1, ${rollouts}) as n`;
  await client.query("begin");
  for (const statement of endpointsWithTwoVersions(each)) await client.query(statement);
  await client.query(
    `insert into ml_rollouts (rollout_id, endpoint_name, experiment_id, deployment_id, baseline_deployment_id, status, steps,
       step_index, step_started_at, next_tick_at, inconclusive_looks, judge, judge_state)
     select 'rollout_' || n, 'endpoint_' || n, 'exp_' || n, 'new_' || n, 'old_' || n, 'running',
       case when n <= $4 then $5::jsonb else $1::jsonb end, 0, clock_timestamp(),
       clock_timestamp(), 0, $2, $3 from ${each}`,
    [
      JSON.stringify(steps),
      JSON.stringify(defaultJudgeSettings),
      JSON.stringify(newJudgeState([])),
      moving,
      JSON.stringify(movingSteps),
    ],
  );
  await client.query("commit");
  await client.query("analyze");
}

const endpointsWithTwoVersions = (each: string): string[] => [
  `insert into ml_experiments (experiment_id, experiment_name, prediction_target, created_by)
   select 'exp_' || n, 'bench', 'speed', 'bench' from ${each}`,
  `insert into ml_operations (operation_id, action_key, payload_hash, action, requested_by, request)
   values ('op_bench', 'bench', repeat('0', 64), 'deploy', 'bench', '{}')`,
  `insert into ml_model_registry (model_version_id, experiment_id, model_name, version, mlflow_run_id,
     model_artifact_uri, artifact_digest)
   select kind || 'mv_' || n, 'exp_' || n, 'model_' || n, version, kind || 'run' || n, 'runs:/x/model', repeat('a', 64)
   from ${each}, (values ('old_', 1), ('new_', 2)) as k (kind, version)`,
  `insert into ml_deployments (deployment_id, model_version_id, experiment_id, operation_id, target_stage,
     endpoint_name, endpoint_url, status, cpu_limit, memory_limit, autoscaling, model_artifact_uri, bento_tag)
   select kind || n, kind || 'mv_' || n, 'exp_' || n, 'op_bench', 'production', 'endpoint_' || n, 'http://127.0.0.1:1',
     status::deployment_status_enum, '1', '1Gi', '{"min":1,"max":1,"target_cpu":70}', 'runs:/x/model', 'e2i_bench:v1'
   from ${each}, (values ('old_', 'active'), ('new_', 'deploying')) as k (kind, status)`,
  `insert into ml_endpoints (endpoint_name, experiment_id, endpoint_url, generation, observed_generation, weights)
   select 'endpoint_' || n, 'exp_' || n, 'http://127.0.0.1:1', 2, 2,
     jsonb_build_object('old_' || n, 90, 'new_' || n, 10) from ${each}`,
  `insert into ml_traffic_history (experiment_id, endpoint_name, generation, deployment_weights, version_weights,
     wanted_at, changed_by, reason)
   select 'exp_' || n, 'endpoint_' || n, generation, weights, '{}', clock_timestamp(), 'bench', 'bench' from ${each},
     lateral (values (1, jsonb_build_object('old_' || n, 100)),
       (2, jsonb_build_object('old_' || n, 90, 'new_' || n, 10))) as g (generation, weights)`,
];
