import pg from "pg";
import { expect, onTestFinished, test } from "vitest";
import { createDatabase } from "../../../src/database/index.ts";
import { createTestDatabase } from "../../support/services/databases.ts";
import { apply, createWorld, observe, openEndpointWith, want } from "./support.ts";

const APP = "model_deployer_app";

/** A connection on which each statement is refused, or not, as the role. */
async function as(url: string, role: string) {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  onTestFinished(() => client.end());
  await client.query(`set role ${role}`);
  return (statement: string) =>
    client.query(statement).then(
      () => "done",
      (error: unknown) => (error instanceof pg.DatabaseError ? error.code : String(error)),
    );
}

const REFUSED = "42501";

test("the deployer works as a role of its own, and all that it does is within that role's rights", async () => {
  const { db } = await createWorld();
  expect(await db.rights()).toMatchObject({ role: APP, degraded: null });
  await openEndpointWith(db, 1);
  await apply(db, want(0, { d1: 100 }), observe(1));
});

test("the role may neither change the history, nor delete more than what is kept for a while, nor make or alter a table", async () => {
  const { db, url, sql } = await createWorld();
  await openEndpointWith(db, 1);
  const app = await as(url, APP);
  const tables = await sql(
    "select relname as name from pg_class where relnamespace = current_schema()::regnamespace and relkind = 'r' and relname like 'ml\\_%'",
  );
  expect(tables.length).toBeGreaterThan(15);
  for (const { name } of tables) {
    // What is kept there for a while only: predictions, outcomes, rows, looks, workers that are gone, what was answered
    // or delivered.
    const forgets = [
      ...["ml_unpaired_predictions", "ml_answers", "ml_outcomes", "ml_rollout_looks", "ml_verdict_history"],
      ...["ml_kept_rows", "ml_row_answers", "ml_row_logs", "ml_workers"],
      ...["ml_answered_requests", "ml_outbox"],
    ].includes(String(name));
    expect(await app(`delete from ${String(name)}`), String(name)).toBe(forgets ? "done" : REFUSED);
    expect(await app(`truncate ${String(name)} cascade`), String(name)).toBe(REFUSED);
    expect(await app(`alter table ${String(name)} disable trigger all`), String(name)).toBe(REFUSED);
    expect(await app(`alter table ${String(name)} disable row level security`)).toBe(REFUSED);
  }
  const appendOnly = {
    ml_stage_history: "reason",
    ml_traffic_history: "reason",
    ml_operation_steps: "step",
    ml_gate_policies: "reason",
  };
  for (const [name, column] of Object.entries(appendOnly)) {
    expect(await app(`update ${name} set ${column} = 'rewritten'`), name).toBe(REFUSED);
  }
  expect(await app("update ml_installation set kind = 'demo'")).toBe(REFUSED);
  expect(await app("create table mine (id int)")).toBe(REFUSED);
  expect(await app("drop table ml_endpoints")).toBe(REFUSED);
  expect(await app("update schema_migrations set checksum = ''")).toBe(REFUSED);
});

test("who may approve and what production asks for, the role may read and not write; an administrator may", async () => {
  const { db, url } = await createWorld();
  const app = await as(url, APP);
  const forged = "insert into ml_principals (principal, name_key) values ('mallory', 'mallory')";
  expect(await app(forged)).toBe(REFUSED);
  expect(await app("update ml_principals set removed_at = null")).toBe(REFUSED);
  const token = "insert into ml_tokens (token_id, principal, token_sha256, label)";
  expect(await app(`${token} values ('mine', 'olga', repeat('0', 64), 'mine')`)).toBe(REFUSED);
  expect(await app("update ml_tokens set token_sha256 = repeat('0', 64)")).toBe(REFUSED);
  expect(await app("insert into ml_grants (principal, role) values ('olga', 'administrator')")).toBe(REFUSED);
  expect(await app("insert into ml_logins (provider, subject, principal) values ('os', 'me', 'olga')")).toBe(
    REFUSED,
  );
  const renewal = "insert into ml_session_renewals (token_sha256, provider, subject, renewal)";
  expect(await app(`${renewal} values (repeat('0', 64), 'p', 'olga', 'x')`)).toBe(REFUSED);
  expect(await app("update ml_session_renewals set subject = 'mallory'")).toBe(REFUSED);
  const lowered = `insert into ml_gate_policies (policy_id, experiment_id, kind, minimum_shadow_hours,
      minimum_shadow_requests, maximum_shadow_error_rate, maximum_shadow_p99_ms, approvals_for_production, reason, set_by)
    values ('p', 'exp_1', 'standard', 24, 0, 1, 1000, 0, 'none', 'mallory')`;
  expect(await app(lowered)).toBe(REFUSED);
  expect(await app("update ml_experiments set minimum_auc = 0")).toBe(REFUSED);
  for (const name of ["ml_principals", "ml_gate_policies"]) expect(await app(`table ${name}`)).toBe("done");
  await db.principals.enrol("olga", "olga-has-a-long-secret");
  expect(await db.principals.authenticate("olga-has-a-long-secret")).toEqual({ principal: "olga" });
});

test("a user who is a member of the role and no more can do all but administer, and is told who can", async () => {
  const { url, sql } = await createWorld();
  const user = `member_${crypto.randomUUID().replaceAll("-", "")}`;
  await sql(`create role ${user} login password 'member-password' in role ${APP}`);
  onTestFinished(async () => {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    await client.query(`drop role ${user}`).finally(() => client.end());
  });
  const own = new URL(url);
  own.username = user;
  own.password = "member-password";
  const db = createDatabase({ url: own.href, holder: "member" });
  onTestFinished(() => db.close());
  await db.migrate({ installation: "standard" });
  expect(await db.rights()).toEqual({ role: APP, degraded: null, way_up: null });
  await openEndpointWith(db, 1);
  const refused = db.principals.enrol("mallory", "mallory-has-a-long-secret");
  await expect(refused).rejects.toMatchObject({ code: "service_refused" });
  await expect(refused).rejects.toThrow("DATABASE_URL of the tables' owner");
});

test("row-level security is on for every table: who is granted one by mistake sees and adds nothing", async () => {
  const { db, url, sql } = await createWorld();
  await openEndpointWith(db, 1);
  const stranger = `stranger_${crypto.randomUUID().replaceAll("-", "")}`;
  const [{ place } = { place: "" }] = await sql("select current_schema() as place");
  await sql(`create role ${stranger} nologin`);
  onTestFinished(async () => {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    await client.query(`drop owned by ${stranger}; drop role ${stranger}`).finally(() => client.end());
  });
  await sql(`grant usage on schema ${String(place)} to ${stranger}`);
  await sql(`grant all on all tables in schema ${String(place)} to ${stranger}`);
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  onTestFinished(() => client.end());
  await client.query(`set role ${stranger}`);
  for (const name of ["ml_model_registry", "ml_deployments", "ml_principals", "ml_operations"]) {
    expect((await client.query(`select * from ${name}`)).rows, name).toEqual([]);
  }
  const forged = "insert into ml_principals (principal, name_key) values ('mallory', 'mallory')";
  await expect(client.query(forged)).rejects.toMatchObject({ code: REFUSED });
});

test("where the user may make no role, the deployer works all the same, and says that it has too many rights", async () => {
  const scratch = await createTestDatabase();
  const { url } = scratch;
  onTestFinished(() => scratch.drop());
  const user = `plain_${crypto.randomUUID().replaceAll("-", "")}`;
  const admin = new pg.Client({ connectionString: url });
  await admin.connect();
  await admin.query(`create role ${user} login password 'plain-password'`);
  await admin.query(`grant create, usage on schema public to ${user}`);
  onTestFinished(async () => {
    await admin.query(`drop owned by ${user} cascade; drop role ${user}`).finally(() => admin.end());
  });
  const own = new URL(url);
  own.username = user;
  own.password = "plain-password";
  const db = createDatabase({ url: own.href, holder: "plain" });
  try {
    await db.migrate({ installation: "standard" });
    const { role, degraded } = await db.rights();
    expect(role).toBe(user);
    expect(degraded).toContain(
      `let an administrator run "create role ${APP} nologin; grant ${APP} to ${user}"`,
    );
    expect(await db.endpoints.list()).toEqual([]);
  } finally {
    await db.close();
  }
});
