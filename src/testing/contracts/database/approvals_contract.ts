import { expect, test } from "vitest";
import {
  ConflictError,
  InvalidApprovalError,
  InvalidRequestError,
  NotAuthenticatedError,
  NotFoundError,
} from "../../../agents/model_deployer/errors.ts";
import { claim } from "./database_setup.ts";
import { planOf } from "./fixtures.ts";
import type { DatabaseHarness, OpenDatabase } from "./harness.ts";

const ALICE = "token-of-alice-0123456789";
const BOB = "token-of-bob-0123456789ab";
const MINE = "token-of-requester-012345";

/** An operation that waits for an approval of a plan for generation 3. */
async function waiting({ db }: DatabaseHarness): Promise<string> {
  await db.principals.enrol("alice", ALICE);
  await db.principals.enrol("bob", BOB);
  await db.principals.enrol("Requester", MINE);
  const { operation_id: id } = await claim(db);
  await db.journal.propose(id, planOf([], { generation: 3, approvals_needed: 1 }), {
    wait_seconds: 14 * 86_400,
  });
  return id;
}

const grant = ({ db }: DatabaseHarness, token: string, operation_id: string) =>
  db.approvals.grant({ token, operation_id, reason: "looks right" });

const revoke = ({ db }: DatabaseHarness, token: string, operation_id: string, reason = "I was wrong") =>
  db.approvals.revoke({ token, operation_id, reason });

const spend = ({ db }: DatabaseHarness, operationId: string, approval_id: string, generation = 3) =>
  db.journal.begin(operationId, planOf([{ change: "spend_approval", approval_id }], { generation }), null);

const bound = { payload_hash: "hash", generation: 3 };

function spendAgain({ db }: DatabaseHarness, operationId: string, approval_id: string): Promise<string> {
  const step = { index: 0, step: "apply_route" as const, result: {} };
  return db.journal.record(operationId, step, [{ change: "spend_approval", approval_id }], null);
}

export function describeApprovals(open: OpenDatabase): void {
  describeVoices(open);
  describeRefusedApprovals(open);
  describeRevocations(open);
  describeSpentApprovals(open);
}

/** Who may approve, and how often one counts. */
function describeVoices(open: OpenDatabase): void {
  test("a reason or a name that is not seen as what it is, is refused and shown escaped", async () => {
    const world = await open();
    const id = await waiting(world);
    const hidden = world.db.approvals.grant({ token: ALICE, operation_id: id, reason: "fine\u001b[2J" });
    await expect(hidden).rejects.toThrow(InvalidRequestError);
    await expect(hidden).rejects.toThrow("u001b[2J");
    expect(await world.db.approvals.listValid(id, bound)).toEqual([]);
    const alike = world.db.principals.enrol("\u0430lice", "token-of-another-0123456789");
    await expect(alike).rejects.toThrow("may look like another one");
    const known = world.db.principals.authenticate("token-of-another-0123456789");
    await expect(known).rejects.toThrow(NotAuthenticatedError);
  });

  test("a proposed plan can be read and approved by another principal, and the approval is used once", async () => {
    const world = await open();
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
  });

  test("the requester cannot approve, whatever the spelling", async () => {
    const world = await open();
    const id = await waiting(world);
    await expect(grant(world, MINE, id)).rejects.toThrow(InvalidApprovalError);
    expect(await world.db.approvals.listValid(id, bound)).toEqual([]);
  });

  test("one principal has one voice, two have two", async () => {
    const world = await open();
    const id = await waiting(world);
    const grants = await Promise.all([
      grant(world, ALICE, id),
      grant(world, ALICE, id),
      grant(world, BOB, id),
    ]);
    expect(grants[0]).toEqual(grants[1]);
    const valid = await world.db.approvals.listValid(id, bound);
    expect(valid.map(({ approver }) => approver).sort()).toEqual(["alice", "bob"]);
  });
}

function describeRefusedApprovals(open: OpenDatabase): void {
  test("a used approval stays used: to grant it anew is refused", async () => {
    const world = await open();
    const id = await waiting(world);
    const approval = await grant(world, ALICE, id);
    const { operation_id: other } = await claim(world.db);
    await world.db.journal.propose(other, planOf([], { generation: 3, approvals_needed: 1 }), {
      wait_seconds: 14 * 86_400,
    });
    await spend(world, id, approval.approval_id);
    await expect(grant(world, ALICE, id)).rejects.toThrow(InvalidApprovalError);
    await grant(world, ALICE, other);
  });

  test("an unknown token, an unknown operation and one that does not wait are refused", async () => {
    const world = await open();
    const id = await waiting(world);
    await expect(grant(world, "no-such-token-0123456789", id)).rejects.toThrow(NotAuthenticatedError);
    await expect(grant(world, ALICE, "op_none")).rejects.toThrow(NotFoundError);
    const { operation_id: claimed } = await claim(world.db);
    await expect(grant(world, ALICE, claimed)).rejects.toThrow(InvalidApprovalError);
    await world.db.journal.begin(id, planOf(), null);
    await expect(grant(world, ALICE, id)).rejects.toThrow(InvalidApprovalError);
  });

  test("a token is replaced by enrolling again, and belongs to one principal", async () => {
    const { db } = await open();
    await db.principals.enrol("alice", ALICE);
    expect(await db.principals.authenticate(ALICE)).toEqual({ principal: "alice" });
    await expect(db.principals.enrol("bob", ALICE)).rejects.toThrow(ConflictError);
    await db.principals.enrol("alice", BOB);
    await expect(db.principals.authenticate(ALICE)).rejects.toThrow(NotAuthenticatedError);
    await expect(db.principals.enrol("carol", "short")).rejects.toThrow(InvalidRequestError);
  });
}

function describeRevocations(open: OpenDatabase): void {
  test("a revoked approval is neither listed nor spent, and its approver may grant another", async () => {
    const world = await open();
    const id = await waiting(world);
    const approval = await grant(world, ALICE, id);
    const other = await grant(world, BOB, id);
    expect(await revoke(world, ALICE, id)).toEqual([approval]);
    expect(await world.db.approvals.listValid(id, bound)).toEqual([other]);
    await expect(spend(world, id, approval.approval_id)).rejects.toThrow(/was revoked at/);
    await expect(revoke(world, ALICE, id)).rejects.toThrow(/to revoke: .* was revoked at/);
    const again = await grant(world, ALICE, id);
    expect(again.approval_id).not.toBe(approval.approval_id);
    expect(await grant(world, ALICE, id)).toEqual(again);
    await spend(world, id, again.approval_id);
    expect(await world.db.approvals.listValid(id, bound)).toEqual([other]);
  });

  test("an approval is revoked by its approver only, with a reason, and not once it is used or expired", async () => {
    const world = await open();
    const id = await waiting(world);
    await expect(revoke(world, ALICE, id)).rejects.toThrow(/to revoke: there is none/);
    await expect(revoke(world, "no-such-token-0123456789", id)).rejects.toThrow(NotAuthenticatedError);
    await expect(revoke(world, ALICE, "op_none")).rejects.toThrow(NotFoundError);
    const approval = await grant(world, ALICE, id);
    await expect(revoke(world, BOB, id)).rejects.toThrow(InvalidApprovalError);
    await expect(revoke(world, MINE, id)).rejects.toThrow(InvalidApprovalError);
    await expect(revoke(world, ALICE, id, " ")).rejects.toThrow(InvalidRequestError);
    expect(await world.db.approvals.listValid(id, bound)).toEqual([approval]);
    await world.passTime({ hours: 24 });
    await expect(revoke(world, ALICE, id)).rejects.toThrow(/expired at/);
    const renewed = await grant(world, ALICE, id);
    await spend(world, id, renewed.approval_id);
    await expect(revoke(world, ALICE, id)).rejects.toThrow(/was used at/);
  });

  test("of a revocation and a use at once, exactly one holds", async () => {
    const world = await open();
    const id = await waiting(world);
    const approval = await grant(world, ALICE, id);
    const [used, revoked] = await Promise.allSettled([
      spend(world, id, approval.approval_id),
      revoke(world, ALICE, id),
    ]);
    expect([used.status, revoked.status].sort()).toEqual(["fulfilled", "rejected"]);
  });
}

function describeSpentApprovals(open: OpenDatabase): void {
  test("an expired approval is neither listed nor spent, and can be granted anew", async () => {
    const world = await open();
    const id = await waiting(world);
    const approval = await grant(world, ALICE, id);
    await world.passTime({ hours: 23 });
    expect(await world.db.approvals.listValid(id, bound)).toEqual([approval]);
    await world.passTime({ hours: 1 });
    expect(await world.db.approvals.listValid(id, bound)).toEqual([]);
    await expect(spend(world, id, approval.approval_id)).rejects.toThrow(/expired at/);
    await grant(world, ALICE, id);
    expect(await world.db.approvals.listValid(id, bound)).toHaveLength(1);
  });

  test("an approval for another operation, payload or generation is not spent", async () => {
    const world = await open();
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
    const world = await open();
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
}
