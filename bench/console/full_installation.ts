import type pg from "pg";
import { planWith } from "../../src/agents/model_deployer/planning/decisions.ts";
import type { DeployerDatabase } from "../../src/database/index.ts";
import { seedRollouts } from "../rollouts/seed.ts";

/** As many as a rollout of some days keeps. */
const LOOKS = 500;
export const TOKEN = "bench-has-a-long-secret";

/** So many endpoints, each with a rollout under way, and so many promotions that wait for an approval. */
export async function fillInstallation(
  sql: pg.Client,
  database: DeployerDatabase,
  { endpoints, waiting }: { endpoints: number; waiting: number },
): Promise<void> {
  await seedRollouts(sql, endpoints, 0);
  await pastLooks(sql, LOOKS);
  await database.principals.enrol("ana", TOKEN);
  for (let number = 1; number <= waiting; number += 1) {
    const { operation_id } = await database.journal.claim({
      request_id: `bench-${number}`,
      payload_hash: "0".repeat(64),
      action: "promote",
      requested_by: "bench",
      request: { action: "promote", model_version_id: `new_mv_${number}`, target_stage: "production" },
    });
    const plan = planWith({
      summary: `Promote new_mv_${number} to production.`,
      lease_name: `new_mv_${number}`,
      approvals_needed: 1,
      names: { [`new_mv_${number}`]: `model_${number} v2` },
    });
    await database.journal.propose(operation_id, plan, { wait_seconds: 86_400 });
  }
}

/**
 * Weights of the endpoints `from` to `to`, counted from 1, as a step of a rollout writes them; returns when they were
 * committed, ms since 1970.
 */
export async function moveWeights(
  sql: pg.Client,
  { from, to, weight }: { from: number; to: number; weight: number },
): Promise<number> {
  const names = `select 'endpoint_' || n as name, n from generate_series($1::int, $2::int) as n`;
  await sql.query("begin");
  await sql.query(
    `update ml_endpoints set generation = generation + 1, wanted_at = clock_timestamp(), wanted_by = 'bench',
       wanted_reason = 'bench', weights = jsonb_build_object('old_' || n, 100 - $3::int, 'new_' || n, $3::int)
     from (${names}) named where endpoint_name = name`,
    [from, to, weight],
  );
  await sql.query(
    `update ml_endpoints set observed_generation = generation, observed_at = clock_timestamp()
     from (${names}) named where endpoint_name = name`,
    [from, to],
  );
  await sql.query(
    `insert into ml_traffic_history (experiment_id, endpoint_name, generation, deployment_weights, version_weights,
       wanted_at, changed_by, reason)
     select experiment_id, endpoint_name, generation, weights, '{}', wanted_at, 'bench', 'next step'
     from ml_endpoints join (${names}) named on endpoint_name = name`,
    [from, to],
  );
  const at = performance.timeOrigin + performance.now();
  await sql.query("commit");
  return at;
}

/** So many looks at the first endpoint's rollout, each with signals as the judge keeps them. */
async function pastLooks(sql: pg.Client, looks: number): Promise<void> {
  const signals = ["errors", "client_errors", "latency_p50", "latency_p90", "latency_p99"].map((signal) => ({
    ...{ signal, unit: "share", candidate: 0.0041666, baseline: 0.0029411, e_value: 0.206742 },
  }));
  const counts = { requests: 960, errors: 4, timeouts: 0, resets: 0, client_errors: 0 };
  const verdict = {
    ...{
      outcome: "pass",
      lacks: null,
      candidate: counts,
      baseline: counts,
      e_value: 0.3,
      worse_by_at_most: 0.01,
    },
    reason:
      "nothing speaks against the candidate: candidate failed 4 of 960 (0.42 %), baseline 4 of 960 (0.42 %).",
    signals,
  };
  await sql.query(
    `insert into ml_verdict_history (rollout_id, looked_at, status, step_index, candidate_weight, challenged, verdict)
     select 'rollout_1', clock_timestamp() - make_interval(secs => 2 * n), 'running', 0, 10, false, $2::jsonb
     from generate_series(1, $1::int) as n`,
    [looks, JSON.stringify(verdict)],
  );
}

/** What each look of the judge leaves behind, on so many rollouts. */
export async function lookAtRollouts(sql: pg.Client, endpoints: number): Promise<void> {
  await sql.query(
    `update ml_rollouts set updated_at = clock_timestamp(), judge_state = jsonb_set(judge_state, '{candidate,requests}',
       to_jsonb((judge_state #>> '{candidate,requests}')::int + 90))
     from generate_series(1, $1::int) as n
     where rollout_id = 'rollout_' || n`,
    [endpoints],
  );
}
