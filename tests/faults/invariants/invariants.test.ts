import pg from "pg";
import { expect, test } from "vitest";
import {
  deploy,
  deployAtOnce,
  ENDPOINT,
  givenDeployer,
  type GivenDeployer,
  givenInProduction,
  givenReadyForProduction,
  promoteWithApproval,
} from "../../support/given/given_deployer.ts";
import { violationsOfGiven } from "../harness/scratch.ts";

/** Version 1 was in production until version 2 took its place at once; version 3 is in shadow. */
async function givenALife(): Promise<GivenDeployer> {
  const given = await givenDeployer();
  await givenInProduction(given, "run1");
  const second = await givenReadyForProduction(given, "run2");
  await promoteWithApproval(given, second);
  await deployAtOnce(given, second);
  await givenReadyForProduction(given, "run3");
  await settle(given);
  return given;
}

async function settle(given: GivenDeployer): Promise<void> {
  const due = "update ml_outbox set next_attempt_at = clock_timestamp() where delivered_at is null";
  await given.world.sql(due);
  expect((await given.worker.tick()).problems).toEqual([]);
}

test("nothing is violated after a life without faults, nor in the middle of a rollout", async () => {
  const given = await givenALife();
  expect(await violationsOfGiven(given)).toEqual([]);
  const third = (await given.db.modelVersions.getByRun("remission", "run3"))?.model_version_id ?? "";
  await promoteWithApproval(given, third);
  await deploy(given, third, "production", {
    rollout: {
      steps: [
        { weight: 10, bake_seconds: 60 },
        { weight: 100, bake_seconds: 0 },
      ],
    },
  });
  await settle(given);
  expect(await violationsOfGiven(given)).toEqual([]);
});

/** Past every trigger, and every constraint that stands in the way. */
const UNGUARDED = `drop index ml_model_registry_one_production;
  alter table ml_endpoints drop constraint ml_endpoints_weights_sum_to_100;
  alter table ml_traffic_history drop constraint ml_traffic_history_version_weights_sum_to_100;
  set local session_replication_role = replica`;

const DRAINED = "(select min(deployment_id) from ml_deployments where drained_at is not null)";

const breaks: [rule: string, statement: string][] = [
  ["at most one version", "update ml_model_registry set stage = 'production'"],
  ["only while a rollout", `update ml_endpoints set weights = '{"a": 40, "b": 60}'`],
  ["weights are shares", `update ml_endpoints set weights = '{"a": 40, "b": 61}'`],
  ["weights are shares", `update ml_traffic_history set version_weights = '{"a": 99}'`],
  ["a deployment's share", "update ml_deployments set traffic_percentage = 7"],
  ["makes at most one deployment", "update ml_deployments set operation_id = 'op_same'"],
  ["moves a version at most once", "update ml_stage_history set operation_id = 'op_same'"],
  ["tells it once", "delete from ml_outbox where topic = 'episodic_memory'"],
  ["acknowledged once", "update ml_traffic_history set generation = -generation"],
  ["acknowledged what is wanted", "update ml_endpoints set observed_generation = 0"],
  ["what gets traffic is active", "update ml_deployments set status = 'draining'"],
  ["active deployment at staging or production", "update ml_deployments set status = 'active'"],
  ["begins in development", "delete from ml_stage_history where to_stage = 'development'"],
  ["where the one before it ended", "delete from ml_stage_history where to_stage = 'staging'"],
  ["no stage is skipped", "update ml_stage_history set from_stage = 'staging' where to_stage = 'production'"],
  ["where its history ended", "delete from ml_stage_history where to_stage = 'archived'"],
  ["is unfinished", "update ml_operations set status = 'planned', result = null, finished_at = null"],
  ["in the outbox is delivered", "update ml_outbox set delivered_at = null"],
  ["half made", "update ml_deployments set status = 'deploying'"],
  ["is spent by", "update ml_approvals set used_at = null"],
  ["after it has expired", "update ml_approvals set used_at = expires_at + interval '1 second'"],
  ["the router does what", "update ml_endpoints set weights = '{}'"],
  ["every server is wanted", "update ml_deployments set status = 'failed', drain_due_at = null"],
  ["has a server", `update ml_endpoints set mirror_deployment_id = ${DRAINED}`],
  ["the registry shows", "update ml_model_registry set stage = 'development'"],
  ["aliases follow stages", "update ml_model_registry set stage = 'archived'"],
  ["the memory holds every", `update ml_outbox set payload = '{"dedupe_key": "other"}'`],
];

test("whatever is broken is found", async () => {
  const given = await givenALife();
  const client = new pg.Client({ connectionString: given.world.url });
  await client.connect();
  const missed: string[] = [];
  try {
    for (const [rule, statement] of breaks) {
      await client.query(`begin; ${UNGUARDED}; ${statement}`);
      const sql = async (text: string) => (await client.query<Record<string, unknown>>(text)).rows;
      const found = await violationsOfGiven(given, sql);
      if (!found.join("\n").includes(rule)) missed.push(rule);
      await client.query("rollback");
    }
  } finally {
    await client.end();
  }
  expect(missed).toEqual([]);
  expect(await violationsOfGiven(given)).toEqual([]);
});

test("a listener that is gone under traffic is found", async () => {
  const given = await givenALife();
  given.router.kill(ENDPOINT);
  expect((await violationsOfGiven(given)).join()).toContain("has no listener");
});
