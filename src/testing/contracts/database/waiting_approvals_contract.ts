import { expect, test } from "vitest";
import { InvalidApprovalError } from "../../../agents/model_deployer/errors.ts";
import { apply, claim, openEndpointWith } from "./database_setup.ts";
import { observe, planOf, want } from "./fixtures.ts";
import type { DatabaseHarness, OpenDatabase } from "./harness.ts";

const ALICE = "token-of-alice-0123456789";
const BOB = "token-of-bob-0123456789ab";
const WAIT = { wait_seconds: 14 * 86_400 };
const bound = { payload_hash: "hash", generation: 3 };

/** An operation that waits for an approval of a plan for generation 3, for 14 days. */
async function waiting({ db }: DatabaseHarness): Promise<string> {
  await db.principals.enrol("alice", ALICE);
  await db.principals.enrol("bob", BOB);
  const { operation_id: id } = await claim(db);
  await db.journal.propose(id, planOf([], { generation: 3, approvals_needed: 1 }), WAIT);
  return id;
}

const grant = ({ db }: DatabaseHarness, token: string, operation_id: string) =>
  db.approvals.grant({ token, operation_id, reason: "looks right" });

export function describeWaitingApprovals(open: OpenDatabase): void {
  test("what waits for too long can no longer be approved, and is listed until somebody ends it", async () => {
    const world = await open();
    const id = await waiting(world);
    const { waits_until } = (await world.db.operations.get(id)) ?? {};
    await world.passTime({ days: 13 });
    await world.db.journal.propose(id, planOf([], { generation: 3, approvals_needed: 1 }), WAIT);
    expect(await world.db.operations.listExpired(10)).toEqual([]);
    const approval = await grant(world, ALICE, id);
    await world.passTime({ hours: 23 });
    expect(await world.db.approvals.listValid(id, bound)).toEqual([approval]);
    await world.passTime({ hours: 1 });
    expect(waits_until).toEqual(expect.stringMatching(/^\d{4}-/));
    await expect(grant(world, BOB, id)).rejects.toThrow(
      /has waited for an approval until .* and has expired/,
    );
    await expect(grant(world, ALICE, id)).rejects.toThrow(InvalidApprovalError);
    expect(await world.db.operations.listExpired(10)).toMatchObject([{ operation_id: id }]);
    const refusal = {
      code: "invalid_approval" as const,
      sentence: "Expired.",
      passes: false,
      unmet: [],
      next: [],
      not_before: null,
    };
    await world.db.journal.finish(id, { status: "refused", refusal }, [], null);
    expect(await world.db.operations.listExpired(10)).toEqual([]);
  });

  test("an approval in time holds past the time of waiting, and such an operation is not listed as expired", async () => {
    const world = await open();
    const id = await waiting(world);
    await world.passTime({ days: 13, hours: 23 });
    const approval = await grant(world, ALICE, id);
    await world.passTime({ hours: 2 });
    expect(await world.db.operations.listExpired(10)).toEqual([]);
    const spent = [{ change: "spend_approval" as const, approval_id: approval.approval_id }];
    await world.db.journal.begin(id, planOf(spent, { generation: 3 }), null);
  });

  test("a plan whose endpoint has moved on is not approved", async () => {
    const world = await open();
    await openEndpointWith(world.db, 1);
    await world.db.principals.enrol("alice", ALICE);
    const { operation_id: id } = await claim(world.db);
    await world.db.journal.propose(id, planOf([], { approvals_needed: 1 }), WAIT);
    await apply(world.db, want(0, { d1: 100 }), observe(1));
    await expect(grant(world, ALICE, id)).rejects.toThrow(/planned for generation 0 .* is at 1 by now/);
    await world.db.journal.propose(id, planOf([], { generation: 1, approvals_needed: 1 }), WAIT);
    await grant(world, ALICE, id);
  });
}
