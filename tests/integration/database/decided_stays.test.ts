import pg from "pg";
import { expect, onTestFinished, test } from "vitest";
import { claim, createWorld, observe, openEndpointWith, planOf, want, apply } from "./support.ts";

const APP = "model_deployer_app";
const DENIED = "42501";

/** All that the deployer may change once it is written; every other column of every table is fixed for it. */
const CHANGES: Record<string, string[]> = {
  ml_model_registry: ["stage", "stage_revision", "promoted_at"],
  ml_leases: ["holder", "token", "acquired_at", "expires_at", "released", "background"],
  ml_operations: [
    ...[
      "status",
      "plan",
      "refusal",
      "result",
      "error",
      "lease_name",
      "lease_token",
      "updated_at",
      "finished_at",
    ],
    "waits_until",
  ],
  ml_outbox: ["attempts", "next_attempt_at", "delivered_at", "last_error", "refusals", "set_aside_at"],
  ml_deployments: [
    ...["status", "endpoint_url", "traffic_percentage", "deployed_at", "activated_at", "rolled_back_at"],
    ...["deployment_duration_seconds", "drain_due_at", "drained_at", "stopping_until", "rollback_reason"],
    ...["replicas", "cpu_limit", "memory_limit", "autoscaling"],
  ],
  ml_answers: ["deployment_id", "prediction", "score", "has_failed", "answered_at", "compared_at"],
  ml_answer_logs: ["positions", "stretches", "repeated_ids", "read_answers"],
  ml_outcome_comparisons: ["evidence", "updated_at"],
  ml_row_logs: ["positions"],
  ml_endpoints: [
    ...["generation", "weights", "mirror_deployment_id", "observed_generation", "observed_at", "wanted_at"],
    ...["wanted_by", "wanted_reason", "wanted_operation_id", "wanted_metrics", "wanted_evidence"],
  ],
  ml_server_restarts: ["failures", "last_error", "next_try_at"],
  ml_approvals: ["used_at"],
  ml_tokens: ["last_used_at"],
  ml_rollouts: [
    ...[
      "status",
      "step_index",
      "step_started_at",
      "next_tick_at",
      "inconclusive_looks",
      "judge_state",
      "verdict",
    ],
    ...["watched_until", "pause", "claimed_until", "updated_at"],
  ],
  ml_shadow_evidence: [
    "requests",
    "errors",
    "p99_ms",
    "collected_at",
    "production_errors",
    "production_seen",
  ],
  ml_shadow_comparisons: [
    ...["pairs", "disagreements", "scored", "higher", "lower", "sum_difference", "sum_absolute_difference"],
    ...["positions", "collected_at", "repeated_ids"],
  ],
  ml_unpaired_predictions: ["is_repeated", "paired_at"],
  ml_notification_sinks: ["failing_since", "failures", "next_attempt_at", "last_error", "last_delivered_at"],
  ml_answered_requests: ["payload_hash", "answer", "claimed_at"],
  ml_workers: ["seen_at", "ended_at"],
};

/** A world, and what a login of the deployer's own is answered to a statement: `done`, or the SQLSTATE. */
async function givenLogin() {
  const world = await createWorld();
  const login = `login_${crypto.randomUUID().replaceAll("-", "")}`;
  await world.sql(`create role ${login} login password 'login-password' in role ${APP}`);
  const url = new URL(world.url);
  url.username = login;
  url.password = "login-password";
  const client = new pg.Client({ connectionString: url.href });
  await client.connect();
  onTestFinished(async () => {
    await client.end();
    await world.sql(`drop role ${login}`);
  });
  const attempt = (statement: string) =>
    client.query(statement).then(
      () => "done",
      (error: unknown) => (error instanceof pg.DatabaseError ? error.code : String(error)),
    );
  return { ...world, attempt };
}

/** An operation whose plan one of two has approved. */
async function givenWaiting({ db }: Pick<Awaited<ReturnType<typeof givenLogin>>, "db">) {
  await openEndpointWith(db, 1);
  await apply(db, want(0, { d1: 100 }), observe(1));
  await db.principals.enrol("olga", "olga-has-a-long-secret");
  const { operation_id } = await claim(db);
  const plan = planOf([], { generation: 1, approvals_needed: 2, evidence: { auc: 0.9 } });
  await db.journal.propose(operation_id, plan, { wait_seconds: 86_400 });
  await db.approvals.grant({ token: "olga-has-a-long-secret", operation_id, reason: "looks right" });
  return { operation_id, plan };
}

test("each column of each table that is not named as changing is fixed for the deployer", async () => {
  const { sql, attempt } = await givenLogin();
  const columns = await sql(
    `select c.relname as table, a.attname as column from pg_class c join pg_attribute a on a.attrelid = c.oid
     where c.relnamespace = current_schema()::regnamespace and c.relkind = 'r' and c.relname like 'ml\\_%'
       and a.attnum > 0 and not a.attisdropped`,
  );
  expect(columns.length).toBeGreaterThan(150);
  const wrong: string[] = [];
  for (const { table, column } of columns) {
    const [name, part] = [String(table), String(column)];
    const outcome = await attempt(`update ${name} set ${part} = ${part} where false`);
    const expected = CHANGES[name]?.includes(part) === true;
    if ((outcome === "done") !== expected) wrong.push(`${name}.${part}: ${outcome}`);
  }
  expect(wrong).toEqual([]);
});

test("neither the deployer nor the owner rewrites what waits for approvals, nor an approval, nor who wanted a route", async () => {
  const world = await givenLogin();
  const { operation_id } = await givenWaiting(world);
  const mine = `where operation_id = '${operation_id}'`;
  const attempts: [statement: string, byDeployer: string][] = [
    [`update ml_operations set requested_by = 'somebody else' ${mine}`, DENIED],
    [`update ml_operations set request = '{"other": true}' ${mine}`, DENIED],
    [`update ml_operations set payload_hash = 'other' ${mine}`, DENIED],
    [`update ml_operations set plan = jsonb_set(plan, '{evidence,auc}', '0.99') ${mine}`, "MD001"],
    [`update ml_operations set plan = plan || '{"summary": "harmless"}' ${mine}`, "MD001"],
    [
      `update ml_operations set plan = plan || '{"summary": "harmless"}', status = 'preparing' ${mine}`,
      "MD001",
    ],
    [`update ml_operations set waits_until = null, plan = '{}' ${mine}`, "MD001"],
    [`update ml_operations set waits_until = waits_until + interval '1 year' ${mine}`, "MD001"],
    [`update ml_approvals set reason = 'of course'`, DENIED],
    [`update ml_approvals set expires_at = expires_at + interval '1 year'`, DENIED],
    [`update ml_approvals set granted_at = granted_at - interval '1 minute'`, DENIED],
    [`update ml_approvals set approver = 'mallory'`, DENIED],
    [`update ml_approvals set operation_id = 'other'`, DENIED],
    [`update ml_approvals set generation = 7`, DENIED],
    [`update ml_endpoints set wanted_by = 'somebody else'`, "MD001"],
    [`update ml_endpoints set wanted_reason = 'another'`, "MD001"],
    [`update ml_endpoints set wanted_evidence = '{"auc": 1}'`, "MD001"],
    [`update ml_traffic_history set reason = 'another'`, DENIED],
  ];
  for (const [statement, code] of attempts) {
    expect(await world.attempt(statement), statement).toBe(code);
    await expect(world.sql(statement), statement).rejects.toThrow(/fixed|append-only|waits until|violates/);
  }
});

test("the deployer takes nothing away that was decided", async () => {
  const world = await givenLogin();
  await givenWaiting(world);
  for (const table of [
    "ml_approvals",
    "ml_operations",
    "ml_stage_history",
    "ml_traffic_history",
    "ml_shadow_evidence",
  ]) {
    expect(await world.attempt(`delete from ${table}`), table).toBe(DENIED);
  }
});

test("what was counted of a shadow is never counted less", async () => {
  const { db, attempt } = await givenLogin();
  await openEndpointWith(db, 1);
  const counted = { deployment_id: "d1", epoch: "e", requests: 10, errors: 4, p50_ms: 2, p99_ms: 5 };
  await db.shadowEvidence.collect("d1", counted);
  expect(await attempt("update ml_shadow_evidence set errors = 0")).toBe("MD001");
  expect(await attempt("update ml_shadow_evidence set requests = 1")).toBe("MD001");
  expect(await attempt("update ml_shadow_evidence set requests = 11")).toBe("done");
});

test("a plan that is proposed again shows approvers what it showed, until the endpoint moves on", async () => {
  const world = await givenLogin();
  const { operation_id, plan } = await givenWaiting(world);
  const again = async (next: typeof plan) => {
    await world.db.journal.propose(operation_id, next, { wait_seconds: 86_400 });
    return (await world.db.operations.get(operation_id))?.plan;
  };
  const changed = { ...plan, evidence: { auc: 0.99 }, approvals_needed: 3 };
  expect(await again(changed)).toMatchObject({ evidence: { auc: 0.9 }, approvals_needed: 3 });
  expect(await again({ ...changed, generation: 2 })).toMatchObject({
    evidence: { auc: 0.99 },
    generation: 2,
  });
});

test("the deployer's login has no way up: no other role, no program, no file, no table", async () => {
  const { attempt, db } = await givenLogin();
  await openEndpointWith(db, 1);
  await db.principals.enrol("olga", "olga-has-a-long-secret");
  expect(await attempt("reset role; select token_sha256 from ml_tokens; reset session authorization")).toBe(
    "done",
  );
  const attempts = [
    "reset role; update ml_operations set requested_by = 'x'",
    "set role postgres",
    "set session authorization postgres",
    "set session_replication_role = replica",
    "alter role current_user superuser",
    "create role mine",
    "grant postgres to current_user",
    "alter table ml_operations disable trigger all",
    "alter table ml_operations owner to current_user",
    "drop trigger ml_operations_request_kept on ml_operations",
    "create or replace function ml_keep_request() returns trigger language plpgsql as 'begin return new; end'",
    "create extension plpython3u",
    "create function mine() returns int language sql as 'select 1'",
    "copy ml_operations to program 'cat'",
    "copy ml_operations to '/tmp/keep-out'",
    "select pg_read_file('/etc/passwd')",
    "select lo_import('/etc/passwd')",
    "select * from pg_authid",
    "alter database postgres rename to mine",
  ];
  for (const statement of attempts) expect(await attempt(statement), statement).not.toBe("done");
});
