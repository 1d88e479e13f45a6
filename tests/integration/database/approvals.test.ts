import { expect, test } from "vitest";
import {
  ConflictError,
  InvalidApprovalError,
  InvalidRequestError,
  NotAuthenticatedError,
  NotFoundError,
} from "../../../src/agents/model_deployer/errors.ts";
import { claim, createWorld, planOf, type World } from "./support.ts";

const ALICE = "token-of-alice-0123456789";
const BOB = "token-of-bob-0123456789ab";
const MINE = "token-of-requester-012345";

/** An operation that waits for an approval of a plan for generation 3. */
async function waiting({ db }: World): Promise<string> {
  await db.principals.enrol("alice", ALICE);
  await db.principals.enrol("bob", BOB);
  await db.principals.enrol("Requester", MINE);
  const { operation_id: id } = await claim(db);
  await db.journal.propose(id, planOf([], { generation: 3, approvals_needed: 1 }));
  return id;
}

const grant = ({ db }: World, token: string, operation_id: string) =>
  db.approvals.grant({ token, operation_id, reason: "looks right" });

const spend = ({ db }: World, operationId: string, approval_id: string, generation = 3) =>
  db.journal.begin(operationId, planOf([{ change: "spend_approval", approval_id }], { generation }), null);

const bound = { payload_hash: "hash", generation: 3 };

test("a proposed plan can be read and approved by another principal, and the approval is used once", async () => {
  const world = await createWorld();
  const id = await waiting(world);
  expect(await world.db.operations.get(id)).toMatchObject({
    status: "awaiting_approval",
    plan: { generation: 3 },
  });
  const approval = await grant(world, ALICE, id);
  expect(await world.db.approvals.listValid(id, bound)).toEqual([approval]);
  await spend(world, id, approval.approval_id);
  expect(await world.db.approvals.listValid(id, bound)).toEqual([]);
  const spent = spendAgain(world, id, approval.approval_id);
  await expect(spent).rejects.toThrow(/was used at/);
  await expect(world.sql("update ml_approvals set used_at = null")).rejects.toMatchObject({ code: "MD004" });
});

function spendAgain({ db }: World, operationId: string, approval_id: string): Promise<void> {
  const step = { index: 0, step: "apply_route" as const, result: {} };
  return db.journal.record(operationId, step, [{ change: "spend_approval", approval_id }], null);
}

test("the requester cannot approve, whatever the spelling, not even by raw SQL", async () => {
  const world = await createWorld();
  const id = await waiting(world);
  await expect(grant(world, MINE, id)).rejects.toThrow(InvalidApprovalError);
  await expect(
    world.sql(
      "insert into ml_approvals (approval_id, operation_id, payload_hash, generation, approver, reason) values ('x', $1, 'hash', 3, 'Requester', 'mine')",
      [id],
    ),
  ).rejects.toMatchObject({ code: "MD004" });
  expect(await world.db.approvals.listValid(id, bound)).toEqual([]);
});

test("one principal has one voice, two have two", async () => {
  const world = await createWorld();
  const id = await waiting(world);
  const grants = await Promise.all([grant(world, ALICE, id), grant(world, ALICE, id), grant(world, BOB, id)]);
  expect(grants[0]).toEqual(grants[1]);
  const valid = await world.db.approvals.listValid(id, bound);
  expect(valid.map(({ approver }) => approver).sort()).toEqual(["alice", "bob"]);
});

test("an unknown token, an unknown operation and one that does not wait are refused", async () => {
  const world = await createWorld();
  const id = await waiting(world);
  await expect(grant(world, "no-such-token-0123456789", id)).rejects.toThrow(NotAuthenticatedError);
  await expect(grant(world, ALICE, "op_none")).rejects.toThrow(NotFoundError);
  const { operation_id: claimed } = await claim(world.db);
  await expect(grant(world, ALICE, claimed)).rejects.toThrow(InvalidApprovalError);
  await world.db.journal.begin(id, planOf(), null);
  await expect(grant(world, ALICE, id)).rejects.toThrow(InvalidApprovalError);
});

test("an expired approval is neither listed nor spent, and can be granted anew", async () => {
  const world = await createWorld();
  const id = await waiting(world);
  const approval = await grant(world, ALICE, id);
  const [row] = await world.sql(
    "select expires_at - granted_at > interval '23 hours' as day from ml_approvals",
  );
  expect(row).toEqual({ day: true });
  await world.sql(
    "update ml_approvals set granted_at = now() - interval '25 hours', expires_at = now() - interval '1 hour'",
  );
  expect(await world.db.approvals.listValid(id, bound)).toEqual([]);
  await expect(spend(world, id, approval.approval_id)).rejects.toThrow(/expired at/);
  await grant(world, ALICE, id);
  expect(await world.db.approvals.listValid(id, bound)).toHaveLength(1);
});

test("an approval for another operation, payload or generation is not spent", async () => {
  const world = await createWorld();
  const id = await waiting(world);
  const other = await waiting(world);
  const approval = await grant(world, ALICE, id);
  await expect(spend(world, other, approval.approval_id)).rejects.toThrow(InvalidApprovalError);
  await expect(spend(world, id, approval.approval_id, 4)).rejects.toThrow(/is for generation 3/);
  await expect(spend(world, id, "approval_none")).rejects.toThrow(/does not exist/);
  expect(await world.db.approvals.listValid(id, { ...bound, generation: 4 })).toEqual([]);
  expect(await world.db.approvals.listValid(id, { ...bound, payload_hash: "other" })).toEqual([]);
  await spend(world, id, approval.approval_id);
});

test("of eight who spend one approval at once, one does", async () => {
  const world = await createWorld();
  const id = await waiting(world);
  const approval = await grant(world, ALICE, id);
  await world.db.journal.begin(id, planOf([], { generation: 3 }), null);
  const tries = await Promise.allSettled(
    Array.from({ length: 8 }, (_, index) =>
      world.db.journal.record(
        id,
        { index, step: "apply_route", result: {} },
        [{ change: "spend_approval", approval_id: approval.approval_id }],
        null,
      ),
    ),
  );
  expect(tries.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
});

test("a token is stored as a hash only, replaced by enrolling again, and belongs to one principal", async () => {
  const { db, sql } = await createWorld();
  await db.principals.enrol("alice", ALICE);
  expect(JSON.stringify(await sql("select * from ml_principals"))).not.toContain(ALICE);
  expect(await db.principals.authenticate(ALICE)).toEqual({ principal: "alice" });
  await expect(db.principals.enrol("bob", ALICE)).rejects.toThrow(ConflictError);
  await db.principals.enrol("alice", BOB);
  await expect(db.principals.authenticate(ALICE)).rejects.toThrow(NotAuthenticatedError);
  await expect(db.principals.enrol("carol", "short")).rejects.toThrow(InvalidRequestError);
});
