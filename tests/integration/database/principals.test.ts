import { cp, mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import pg from "pg";
import { expect, onTestFinished, test } from "vitest";
import { createDatabase, migrate, SqlDatabase } from "../../../src/database/index.ts";
import { createPool } from "../../../src/database/connection/pool.ts";
import type { Origin } from "../../../src/agents/model_deployer/domain/access/roles.ts";
import { createTestDatabase } from "../../support/services/databases.ts";
import { createWorld, planOf, type World } from "./support.ts";

const ANA = "ana-has-a-long-secret-0";
const OMAR = "omar-has-a-long-secret";
/** The migration that gives one human one voice. */
const JOINING_PEOPLE = "0018_who_may_do_what.sql";
const by = { who: "eva", origin: null };

const session = (user: string): Origin => ({
  ...{ as: "session", via: "command_line", user, host: "desk", address: null },
});

/** An operation that waits for approvals, asked for by whom and from where is told. */
async function waiting({ db }: Pick<World, "db">, requested_by: string, asked_from: Origin | null = null) {
  const payload_hash = `hash of ${requested_by} ${asked_from?.user ?? ""}`;
  const request = { experiment_id: "exp" };
  const asked = { request_id: null, payload_hash, action: "promote", requested_by, asked_from, request };
  const { operation_id, person } = await db.journal.claim(asked);
  const plan = planOf([], { generation: 0, approvals_needed: 1 });
  await db.journal.propose(operation_id, plan, { wait_seconds: 86_400 });
  const bound = { payload_hash, generation: 0 };
  const holding = async () =>
    (await db.approvals.listValid(operation_id, bound)).map(({ approver }) => approver);
  const approve = (token: string) => db.approvals.grant({ token, operation_id, reason: "seen" });
  return { operation_id, person, holding, approve };
}

test.each(["Ana", " ana ", "ANA", "ana\u00a0"])("%j is ana, and has one voice with her", async (spelling) => {
  const world = await createWorld();
  const { principals, principalAdministration } = world.db;
  await principals.enrol("ana", ANA);
  expect(await principals.enrol(spelling, OMAR, { beside: true })).toEqual({ principal: "ana" });
  expect(await principalAdministration.list()).toHaveLength(1);
  const { approve, holding } = await waiting(world, "model_deployer");
  await approve(ANA);
  await approve(OMAR);
  expect(await holding()).toEqual(["ana"]);
  const own = await waiting(world, spelling);
  await expect(own.approve(ANA)).rejects.toMatchObject({ code: "invalid_approval" });
});

test("names of other alphabets are folded too", async () => {
  const { db } = await createWorld();
  await db.principals.enrol("Émilie Groß", ANA);
  expect(await db.principals.enrol("émilie GROSS", OMAR)).toEqual({ principal: "Émilie Groß" });
});

test("a leaver's approvals that are not used end with them, as do their tokens and roles", async () => {
  const world = await createWorld();
  const { principals, principalAdministration, access } = world.db;
  await principals.enrol("omar", OMAR);
  const { approve, holding } = await waiting(world, "ana");
  await approve(OMAR);
  expect(await holding()).toEqual(["omar"]);
  expect(await principalAdministration.remove("Omar", "has left", by)).toEqual({
    principal: "omar",
    approvals_ended: 1,
  });
  expect(await holding()).toEqual([]);
  expect(await access.grantsOf("omar")).toEqual([]);
  await expect(principals.authenticate(OMAR)).rejects.toThrow("its principal was removed");
  const [left] = await principalAdministration.list("omar");
  expect(left).toMatchObject({ removed_by: "eva", remove_reason: "has left", grants: [] });
});

test("an approval counts as long as its approver may approve, and no approver's role is needed to take it back", async () => {
  const world = await createWorld();
  const { principals, principalAdministration: administration, approvals } = world.db;
  await principals.enrol("omar", OMAR);
  const { approve, holding, operation_id } = await waiting(world, "ana");
  await approve(OMAR);
  await administration.revokeRole("omar", "approver", null, by);
  expect(await holding()).toEqual([]);
  await expect(approve(OMAR)).rejects.toMatchObject({ code: "not_permitted" });
  await administration.grant("omar", "approver", "exp", by);
  expect(await holding()).toEqual(["omar"]);
  await administration.revokeRole("omar", "approver", "exp", by);
  expect(await approvals.revoke({ token: OMAR, operation_id, reason: "no" })).toHaveLength(1);
});

test("a token expires, is revoked, and says when it was used", async () => {
  const { db, passTime } = await createWorld();
  const { principals, principalAdministration: administration } = db;
  const tomorrow = new Date(Date.now() + 86_400_000).toISOString();
  await principals.enrol("ana", ANA, { expires_at: tomorrow });
  await principals.enrol("ana", OMAR, { beside: true, label: "pipeline", roles: [] });
  expect(await principals.authenticate(ANA)).toEqual({ principal: "ana" });
  const tokens = async () => (await administration.list("ana"))[0]?.tokens ?? [];
  const [first, second] = await tokens();
  expect(first?.is_in_force).toBe(true);
  expect(first?.last_used_at).toMatch(/^\d{4}/);
  expect(second).toMatchObject({ label: "pipeline", last_used_at: null, expires_at: null });
  await passTime({ hours: 25 });
  await expect(principals.authenticate(ANA)).rejects.toThrow(/it expired at/);
  await administration.revokeToken(second?.token_id ?? "", by);
  await expect(principals.authenticate(OMAR)).rejects.toThrow(/it was revoked at/);
  expect((await tokens()).map((one) => one.is_in_force)).toEqual([false, false]);
  expect(JSON.stringify(await administration.list())).not.toMatch(/[0-9a-f]{64}/);
});

test("what is asked for in a session without a token is its user's, who cannot approve it", async () => {
  const world = await createWorld();
  const { principals, logins } = world.db;
  await principals.enrol("ana", ANA);
  await principals.enrol("omar", OMAR);
  const byName = await waiting(world, "model_deployer", session("Ana"));
  expect(byName.person).toBe("ana");
  await expect(byName.approve(ANA)).rejects.toThrow(/ana requested operation .* as Ana of desk/);
  await byName.approve(OMAR);
  await logins.link("omar", { provider: "os", subject: "o.haddad@desk" }, by);
  const byLogin = await waiting(world, "model_deployer", session("o.haddad"));
  expect(byLogin.person).toBe("omar");
  await expect(byLogin.approve(OMAR)).rejects.toMatchObject({ code: "invalid_approval" });
  const nobody = await waiting(world, "model_deployer", session("root"));
  expect(nobody.person).toBeNull();
  const taken = logins.link("ana", { provider: "os", subject: "o.haddad@desk" }, by);
  await expect(taken).rejects.toThrow("is omar's");
});

test("with the deployer's login alone nobody adds an approval, in whoever's name", async () => {
  const world = await createWorld();
  await world.db.principals.enrol("omar", OMAR);
  const { operation_id } = await waiting(world, "ana");
  const client = new pg.Client({ connectionString: world.url });
  await client.connect();
  onTestFinished(() => client.end());
  await client.query("set role model_deployer_app");
  const attempt = (statement: string) =>
    client.query(statement).then(
      ({ rowCount }) => `done: ${rowCount}`,
      (error: unknown) => (error instanceof pg.DatabaseError ? error.code : String(error)),
    );
  const columns = "(approval_id, operation_id, payload_hash, generation, approver, reason)";
  const forged = `insert into ml_approvals ${columns} values ('a', '${operation_id}', 'h', 0, 'omar', 'mine')`;
  expect(await attempt(forged)).toBe("42501");
  const grant = (token: string) =>
    attempt(`select * from ml_grant_approval(${token}, '${operation_id}', 'mine')`);
  expect(await grant("'no token of anybody'")).toBe("MD008");
  expect(await grant("(select token_sha256 from ml_tokens limit 1)")).toBe("MD008");
  await client.query("create temp table ml_principals as select 1").catch(() => undefined);
  await client.query("create temp view ml_tokens as select 1").catch(() => undefined);
  expect(await grant("'no token of anybody'")).toBe("MD008");
  expect(await grant(`'${OMAR}'`)).toBe("done: 1");
});

test("a database of an earlier version joins ana and Ana, whose second voice ends", async () => {
  const scratch = await createTestDatabase();
  const { url } = scratch;
  const earlier = await mkdtemp(join(tmpdir(), "earlier-"));
  onTestFinished(() => rm(earlier, { recursive: true, force: true }));
  onTestFinished(() => scratch.drop());
  const source = new URL("../../../src/database/migrations/", import.meta.url);
  await cp(source, earlier, { recursive: true });
  for (const name of await readdir(earlier)) if (name >= JOINING_PEOPLE) await rm(join(earlier, name));
  const old = new SqlDatabase(createPool(url));
  onTestFinished(() => old.close());
  await migrate(old, { installation: "standard", folder: pathToFileURL(`${earlier}/`) });
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  onTestFinished(() => client.end());
  await client.query(`
    insert into ml_principals (principal, token_sha256, enrolled_at)
      values ('ana', encode(sha256('${ANA}'), 'hex'), '2026-01-01'), ('Ana', encode(sha256('${OMAR}'), 'hex'), '2026-02-01');
    insert into ml_operations (operation_id, action_key, payload_hash, action, requested_by, request, status, plan, waits_until)
      values ('op_1', 'k', 'h', 'promote', 'omar', '{}', 'awaiting_approval', '{"generation": 0}', now() + interval '1 day');
    insert into ml_approvals (approval_id, operation_id, payload_hash, generation, approver, reason)
      values ('a1', 'op_1', 'h', 0, 'ana', 'yes'), ('a2', 'op_1', 'h', 0, 'Ana', 'yes too')`);
  const db = createDatabase({ url, holder: "new" });
  onTestFinished(() => db.close());
  await db.migrate({ installation: "existing" });
  for (const token of [ANA, OMAR])
    expect(await db.principals.authenticate(token)).toEqual({ principal: "ana" });
  const valid = await db.approvals.listValid("op_1", { payload_hash: "h", generation: 0 });
  expect(valid.map(({ approval_id }) => approval_id)).toEqual(["a1"]);
  const [ana, ...others] = await db.principalAdministration.list();
  expect(others).toEqual([]);
  expect(ana).toMatchObject({ principal: "ana", spellings: ["Ana"] });
  expect(ana?.grants.map(({ role }) => role).sort()).toEqual(["approver", "operator"]);
});
