import { expect, test } from "vitest";
import { STANDARD_GATE_POLICY } from "../../../src/agents/model_deployer/domain/models/gate_policy.ts";
import {
  apply,
  claim,
  createWorld,
  move,
  observe,
  openEndpointWith,
  planOf,
  promoteToProduction,
  registerVersions,
  want,
} from "./support.ts";

/** Statements that Postgres itself refuses, without the product's code. */

const TOKEN = "token-of-requester-012345";

test("the requester cannot approve, and a used approval stays used", async () => {
  const { db, sql } = await createWorld();
  await db.principals.enrol("Requester", TOKEN);
  await db.principals.enrol("alice", "token-of-alice-0123456789");
  const { operation_id: id } = await claim(db);
  const grant = (approval: string, approver: string) =>
    sql(
      "insert into ml_approvals (approval_id, operation_id, payload_hash, generation, approver, reason) values ($2, $1, 'hash', 3, $3, 'mine')",
      [id, approval, approver],
    );
  await expect(grant("x", "Requester")).rejects.toMatchObject({ code: "MD004" });
  await grant("y", "alice");
  await sql("update ml_approvals set used_at = now()");
  await expect(sql("update ml_approvals set used_at = null")).rejects.toMatchObject({ code: "MD004" });
});

test("an approval is revoked in its approver's name only, with a reason, and stays revoked", async () => {
  const { db, sql } = await createWorld();
  await db.principals.enrol("alice", "token-of-alice-0123456789");
  await db.principals.enrol("bob", "token-of-bob-0123456789ab");
  const { operation_id: id } = await claim(db);
  await sql(
    "insert into ml_approvals (approval_id, operation_id, payload_hash, generation, approver, reason) values ('y', $1, 'hash', 3, 'alice', 'mine')",
    [id],
  );
  const revoke = (by: string, reason: string) =>
    sql("update ml_approvals set revoked_at = now(), revoked_by = $1, revoke_reason = $2", [by, reason]);
  await expect(revoke("bob", "no")).rejects.toMatchObject({ code: "23514" });
  await expect(revoke("alice", " ")).rejects.toMatchObject({ code: "23514" });
  await expect(sql("update ml_approvals set revoked_at = now()")).rejects.toMatchObject({ code: "23514" });
  await revoke("alice", "wrong figures");
  await expect(sql("update ml_approvals set used_at = now()")).rejects.toMatchObject({ code: "MD004" });
  await expect(sql("update ml_approvals set revoked_at = null")).rejects.toMatchObject({ code: "MD004" });
});

test("a token is stored as a hash only", async () => {
  const { db, sql } = await createWorld();
  await db.principals.enrol("alice", TOKEN);
  expect(
    JSON.stringify(await sql("select * from ml_principals p join ml_tokens t using (principal)")),
  ).not.toContain(TOKEN);
});

test("a demo policy is refused in a standard database", async () => {
  const { sql } = await createWorld("standard");
  await expect(
    sql(
      `insert into ml_gate_policies (policy_id, experiment_id, kind, minimum_shadow_hours, minimum_shadow_requests,
         maximum_shadow_error_rate, maximum_shadow_p99_ms, approvals_for_production, reason, set_by)
       values ('p', 'exp', 'demo', 0.1, 1, 0.01, 150, 1, 'why not', 'me')`,
    ),
  ).rejects.toMatchObject({ code: "MD005" });
});

test.each(['{"everything": 1}', '{"retry": -1}', '{"retry": 1.5}', '{"retry": "2"}', "[]"])(
  "a policy with approvals_by_move %s is refused",
  async (moves) => {
    const { db, sql } = await createWorld();
    await db.experiments.setGatePolicy("exp", { ...STANDARD_GATE_POLICY, reason: "ours" }, "me");
    const copy = (column: string) =>
      sql(
        `insert into ml_gate_policies (policy_id, experiment_id, kind, minimum_shadow_hours, minimum_shadow_requests,
           maximum_shadow_error_rate, maximum_shadow_p99_ms, approvals_for_production, approvals_by_move, reason, set_by)
         select 'copy', experiment_id, kind, minimum_shadow_hours, minimum_shadow_requests,
           maximum_shadow_error_rate, maximum_shadow_p99_ms, approvals_for_production, $1, reason, set_by
         from ml_gate_policies`,
        [column],
      );
    await expect(copy(moves)).rejects.toMatchObject({ code: "23514" });
    await copy('{"retry": 2}');
  },
);

test("a finished operation never changes", async () => {
  const { db, sql } = await createWorld();
  const { operation_id: id } = await claim(db);
  await db.journal.begin(id, planOf(), null);
  await db.journal.finish(id, { status: "succeeded", result: {} }, [], null);
  await expect(sql("update ml_operations set status = 'claimed'")).rejects.toMatchObject({ code: "MD006" });
  await expect(sql("delete from ml_operations")).rejects.toMatchObject({ code: "MD006" });
});

test("an experiment has one production version, its champion", async () => {
  const { db, sql } = await createWorld();
  await registerVersions(db, 1, 2);
  await promoteToProduction(db, 1);
  expect(await sql("select model_version_id from ml_model_registry where is_champion")).toEqual([
    { model_version_id: "mv_1" },
  ]);
  await apply(db, move(2, "development", "staging", 0));
  await apply(db, move(2, "staging", "shadow", 1));
  await expect(
    sql(
      "update ml_model_registry set stage = 'production', stage_revision = 3 where model_version_id = 'mv_2'",
    ),
  ).rejects.toThrow(/ml_model_registry_one_production/);
});

test.each([
  ["development", "production"],
  ["development", "shadow"],
  ["development", "archived"],
])("a version cannot move from %s to %s", async (_from, to) => {
  const { db, sql } = await createWorld();
  await registerVersions(db, 1);
  const skip = sql("update ml_model_registry set stage = $1, stage_revision = 1", [to]);
  await expect(skip).rejects.toMatchObject({ code: "MD002" });
});

test("nobody skips stages by inserting, forgets the revision, or repoints a version", async () => {
  const { db, sql } = await createWorld();
  await registerVersions(db, 1);
  await expect(
    sql(`insert into ml_model_registry (model_version_id, experiment_id, model_name, version, mlflow_run_id, stage,
      model_artifact_uri, artifact_digest) values ('x', 'exp', 'm', 1, 'r', 'production', 'u', 'd')`),
  ).rejects.toMatchObject({ code: "MD002" });
  await expect(sql("update ml_model_registry set stage = 'staging'")).rejects.toMatchObject({
    code: "MD003",
  });
  await expect(sql("update ml_model_registry set artifact_digest = 'b'")).rejects.toMatchObject({
    code: "MD001",
  });
});

test.each(["ml_stage_history", "ml_traffic_history", "ml_operation_steps", "ml_gate_policies"])(
  "%s can only be added to",
  async (table) => {
    const { db, sql } = await createWorld();
    await registerVersions(db, 1);
    await expect(sql(`delete from ${table}`)).rejects.toMatchObject({ code: "MD001" });
    await expect(sql(`truncate ${table}`)).rejects.toMatchObject({ code: "MD001" });
    const [column] = await sql(
      "select column_name from information_schema.columns where table_name = $1 and is_identity = 'NO' limit 1",
      [table],
    );
    const name = String(column?.["column_name"]);
    await expect(sql(`update ${table} set ${name} = ${name}`)).rejects.toMatchObject({ code: "MD001" });
  },
);

const NOT_A_WEIGHT_SET = [
  ...["[100]", '"d1"', "null", '{"d1": "100"}', '{"d1": null}', '{"d1": true}'],
  ...['{"d1": 99}', '{"d1": 101}', '{"d1": 60, "d2": 60}', '{"d1": 50.5, "d2": 49.5}', '{"d1": 0}'],
  '{"d1": 150, "d2": -50}',
];

test.each(NOT_A_WEIGHT_SET)("the weights cannot be %s", async (weights) => {
  const { db, sql } = await createWorld();
  await openEndpointWith(db, 2);
  await expect(sql("update ml_endpoints set generation = 1, weights = $1", [weights])).rejects.toThrow(
    /ml_endpoints_weights_sum_to_100|cannot call jsonb_object_keys/,
  );
});

test.each(NOT_A_WEIGHT_SET.filter((weights) => weights.includes(":")))(
  "neither an endpoint nor the history can be written with the weights %s",
  async (weights) => {
    const { db, sql } = await createWorld();
    await openEndpointWith(db, 2);
    const refused = (constraint: string) => ({ code: "23514", constraint });
    const endpoint =
      "insert into ml_endpoints (endpoint_name, experiment_id, endpoint_url, weights) values ('x', 'exp', 'u', $1)";
    await expect(sql(endpoint, [weights])).rejects.toMatchObject(refused("ml_endpoints_weights_sum_to_100"));
    const traffic = (deployments: string, versions: string) =>
      sql(
        `insert into ml_traffic_history (experiment_id, endpoint_name, generation, deployment_weights, version_weights,
           wanted_at, changed_by, reason) values ('exp', 'e2i_exp', 9, $1, $2, now(), 'ana', 'a test')`,
        [deployments, versions],
      );
    await expect(traffic(weights, "{}")).rejects.toMatchObject(
      refused("ml_traffic_history_deployment_weights_sum_to_100"),
    );
    await expect(traffic("{}", weights)).rejects.toMatchObject(
      refused("ml_traffic_history_version_weights_sum_to_100"),
    );
    await traffic('{"d1": 60, "d2": 40}', '{"mv_1": 100}');
    const rollout = `insert into ml_rollout_history (kind, rollout_id, experiment_id, endpoint_name, step_index, weights,
       changed_by, reason) values ('rollout_paused', 'r', 'exp', 'e2i_exp', 0, $1, 'ana', 'a test')`;
    await expect(sql(rollout, [weights])).rejects.toMatchObject(
      refused("ml_rollout_history_weights_sum_to_100"),
    );
  },
);

test("nobody changes traffic without the generation, or a percentage without the endpoint", async () => {
  const { db, sql } = await createWorld();
  await openEndpointWith(db, 2);
  await apply(db, want(0, { d1: 100 }), observe(1));
  await expect(sql(`update ml_endpoints set weights = '{"d2": 100}'`)).rejects.toMatchObject({
    code: "MD003",
  });
  await expect(sql("update ml_endpoints set generation = 7")).rejects.toMatchObject({ code: "MD003" });
  await expect(sql("update ml_endpoints set observed_generation = 0")).rejects.toMatchObject({
    code: "MD003",
  });
  await expect(sql("update ml_endpoints set observed_generation = 2")).rejects.toThrow(/observed_was_wanted/);
  await expect(sql("update ml_deployments set traffic_percentage = 50")).rejects.toMatchObject({
    code: "MD003",
  });
});
