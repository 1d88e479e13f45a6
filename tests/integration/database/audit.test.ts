import pg from "pg";
import { expect, onTestFinished, test } from "vitest";
import { STANDARD_GATE_POLICY } from "../../../src/agents/model_deployer/domain/models/gate_policy.ts";
import type { Origin } from "../../../src/agents/model_deployer/domain/access/roles.ts";
import {
  auditLinks,
  exportedLine,
  importedLine,
  linkView,
  verifyChain,
} from "../../../src/service/audit/audit_chain.ts";
import { pastTriggers } from "../../support/world.ts";
import { createWorld, observe, openEndpointWith, planOf, want, apply, type World } from "./support.ts";

const OMAR = "omar-has-a-long-secret";
const fromDesk: Origin = { as: "token", via: "api", user: null, host: null, address: "10.1.2.3" };
const by = { who: "eva", origin: fromDesk };

async function entriesOf({ db }: World) {
  const found = [];
  for await (const link of auditLinks(db.auditTrail)) found.push(linkView(link).entry);
  return found;
}

async function verified({ db }: World, includes: string | null = null) {
  const head = await db.auditTrail.head();
  return verifyChain(auditLinks(db.auditTrail), { head, includes, isWhole: true });
}

/** An operation that was asked for, approved and carried out, and what an administrator did before. */
async function givenStory(world: World): Promise<void> {
  const { db } = world;
  await db.principals.enrol("omar", OMAR, { by });
  await db.experiments.setGatePolicy("exp", { ...STANDARD_GATE_POLICY, reason: "ours" }, "eva", fromDesk);
  const asked = { request_id: null, payload_hash: "h", action: "promote", requested_by: "ana", request: {} };
  const { operation_id } = await db.journal.claim({ ...asked, asked_from: fromDesk });
  const plan = planOf([], { generation: 0, approvals_needed: 1 });
  await db.journal.propose(operation_id, plan, { wait_seconds: 60 });
  const approval = await db.approvals.grant({ token: OMAR, operation_id, reason: "seen" });
  const spent = [{ change: "spend_approval" as const, approval_id: approval.approval_id }];
  await db.journal.begin(operation_id, { ...plan, intent: spent }, null);
  await db.journal.finish(operation_id, { status: "succeeded", result: {} }, [], null);
}

test("all that changed something is in the trail: who, from where, as what", async () => {
  const world = await createWorld();
  await givenStory(world);
  const found = await entriesOf(world);
  const told = found.map(({ who, action, outcome }) => `${who} ${action} ${outcome}`);
  expect(told).toEqual([
    "tester experiment insert",
    "eva principal insert",
    "eva token insert",
    "eva role insert",
    "eva role insert",
    "eva gate_policy insert",
    "ana promote asked",
    "omar approval insert",
    "model_deployer approval update",
    "ana promote succeeded",
  ]);
  expect(found.find(({ action }) => action === "gate_policy")?.from).toEqual(fromDesk);
  expect(found.find(({ outcome }) => outcome === "asked")?.from).toEqual(fromDesk);
  expect(JSON.stringify(found)).not.toMatch(/token_sha256|omar-has-a-long/);
  expect(await verified(world)).toMatchObject({ is_intact: true, entries: found.length, problem: null });
});

test("a refusal of a right, and a token's use, are told apart: the one is in the trail, the other is not", async () => {
  const world = await createWorld();
  await world.db.principals.enrol("omar", OMAR);
  const before = (await entriesOf(world)).length;
  await world.db.principals.authenticate(OMAR);
  await world.db.access.refused({ who: "omar", right: "configure", subject: "policy", origin: fromDesk });
  const later = (await entriesOf(world)).slice(before);
  expect(later).toMatchObject([
    { who: "omar", action: "right", subject: "policy", outcome: "refused", from: { address: "10.1.2.3" } },
  ]);
});

test("traffic that moved is in the trail with who wanted it", async () => {
  const world = await createWorld();
  await openEndpointWith(world.db, 1);
  await apply(world.db, want(0, { d1: 100 }), observe(1));
  const moved = (await entriesOf(world)).filter(({ action }) => action === "traffic");
  expect(moved).toMatchObject([{ outcome: "insert", details: { generation: 1 } }]);
});

test.each([
  ["a word is changed", "update ml_audit set entry = replace(entry, 'eva', 'kim') where sequence = 3", 3],
  ["one is taken out", "delete from ml_audit where sequence = 4", 5],
  [
    "the last is taken away",
    "delete from ml_audit where sequence = (select max(sequence) from ml_audit)",
    10,
  ],
  [
    "one is written anew with a hash of its own",
    `update ml_audit set entry = replace(entry, 'eva', 'kim'),
       hash = encode(sha256(convert_to(previous || replace(entry, 'eva', 'kim'), 'UTF8')), 'hex') where sequence = 2`,
    3,
  ],
])("where %s, the trail says at which entry it is broken", async (_, statement, sequence) => {
  const world = await createWorld();
  await givenStory(world);
  await world.sql(pastTriggers(statement));
  expect(await verified(world)).toMatchObject({ is_intact: false, problem: { sequence } });
});

test("a hash that was kept elsewhere shows a trail that was written anew as a whole", async () => {
  const world = await createWorld();
  await givenStory(world);
  const { head } = await verified(world);
  expect(await verified(world, head)).toMatchObject({ is_intact: true });
  expect(await verified(world, "f".repeat(64))).toMatchObject({ is_intact: false });
});

test("neither the deployer nor the owner changes the trail, and the deployer adds by its functions alone", async () => {
  const world = await createWorld();
  await givenStory(world);
  const statements = ["update ml_audit set entry = ''", "delete from ml_audit", "truncate ml_audit"];
  for (const statement of statements) {
    await expect(world.sql(statement), statement).rejects.toMatchObject({ code: "MD001" });
  }
  const client = new pg.Client({ connectionString: world.url });
  await client.connect();
  onTestFinished(() => client.end());
  await client.query("set role model_deployer_app");
  const own = [
    ...statements,
    "insert into ml_audit (sequence, entry, previous, hash) values (99, '', '', '')",
    "update ml_audit_head set hash = ''",
    "delete from ml_audit_head",
  ];
  for (const statement of own) {
    await expect(client.query(statement), statement).rejects.toMatchObject({ code: "42501" });
  }
  expect(await verified(world)).toMatchObject({ is_intact: true });
});

test("forty at once leave one chain", async () => {
  const world = await createWorld();
  const asked = { request_id: null, action: "promote", requested_by: "ana", request: {} };
  await Promise.all(
    Array.from({ length: 40 }, (_, index) =>
      world.another(`process-${index % 4}`).journal.claim({ ...asked, payload_hash: `h${index}` }),
    ),
  );
  expect(await verified(world)).toMatchObject({ is_intact: true, entries: 41 });
});

test("an export is verified without the database, and a part of one too", async () => {
  const world = await createWorld();
  await givenStory(world);
  const lines: string[] = [];
  for await (const link of auditLinks(world.db.auditTrail)) lines.push(exportedLine(link));
  for (const line of lines) expect(JSON.parse(line)).toHaveProperty("entry.who");
  const check = (some: string[]) =>
    verifyChain(
      some.map((line, index) => importedLine(line, index + 1)),
      { head: null, includes: null, isWhole: false },
    );
  expect(await check(lines)).toMatchObject({ is_intact: true, entries: lines.length });
  expect(await check(lines.slice(4))).toMatchObject({ is_intact: true });
  const forged = lines.map((line) => line.replace('"who" : "omar"', '"who" : "kim"'));
  expect(await check(forged)).toMatchObject({ is_intact: false });
  expect(() => importedLine('{"entry": 1}', 3)).toThrow(/Line 3 is no entry/);
});
