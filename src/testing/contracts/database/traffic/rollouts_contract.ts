import { expect, test } from "vitest";
import { ConflictError, NotFoundError } from "../../../../agents/model_deployer/errors.ts";
import type { ChangeOf } from "../../../../agents/model_deployer/domain/changes.ts";
import { apply, claim, openEndpointWith } from "../database_setup.ts";
import { NOW, planOf, rolloutOf, setStatus, want } from "../fixtures.ts";
import type { OpenDatabase } from "../harness.ts";

export function moveOf(overrides: Partial<ChangeOf<"move_rollout">> = {}): ChangeOf<"move_rollout"> {
  return {
    change: "move_rollout",
    rollout_id: "r1",
    expected_step_index: 0,
    expected_status: ["running"],
    status: "running",
    step_index: 0,
    step_started_at: null,
    next_tick_at: NOW,
    inconclusive_looks: 1,
    judge_state: { ...rolloutOf("r1").judge_state, step_samples: 7 },
    verdict: {
      outcome: "inconclusive",
      reason: "Too few.",
      lacks: "samples",
      candidate: answered(1),
      baseline: answered(9),
      worse_by_at_most: null,
      signals: [],
      e_value: 1,
    },
    ...overrides,
  };
}

const answered = (requests: number) => ({ requests, errors: 0, timeouts: 0, resets: 0, client_errors: 0 });

export function describeRollouts(open: OpenDatabase): void {
  describeLooks(open);
  describeMovedRollouts(open);
  describeDueRollouts(open);
  describeUnreached(open);
}

function describeUnreached(open: OpenDatabase): void {
  test("what is active is known as off the route but where an open rollout may give it a share again", async () => {
    const { db } = await open();
    await openEndpointWith(db, 3);
    const active = ["d1", "d2", "d3"].map((id) => setStatus(id, "pending", "active"));
    await apply(db, ...active, want(0, { d1: 100 }, "d3"));
    const unreached = async () => {
      const [facts] = await db.reconciliation.endpoints({ after: null, limit: 1 });
      return facts?.unreached.map(({ deployment_id: id }) => id);
    };
    expect(await unreached()).toEqual(["d2"]);
    await apply(db, want(1, { d2: 100 }));
    expect(await unreached()).toEqual(["d1", "d3"]);
    await apply(db, { change: "start_rollout", rollout: rolloutOf("r1") });
    expect(await unreached()).toEqual([]);
    await db.rollouts.hold(moveOf({ status: "completed", next_tick_at: null }));
    await apply(db, setStatus("d1", "active", "draining"));
    expect(await unreached()).toEqual(["d3"]);
  });
}

function describeLooks(open: OpenDatabase): void {
  test("a rollout reads back as it was started, and is the endpoint's only open one", async () => {
    const { db } = await open();
    await openEndpointWith(db, 2);
    await apply(db, { change: "start_rollout", rollout: rolloutOf("r1") });
    expect(await db.rollouts.get("r1")).toEqual(rolloutOf("r1"));
    expect(await db.rollouts.getOpen("e2i_exp")).toEqual(rolloutOf("r1"));
    const second = apply(db, { change: "start_rollout", rollout: rolloutOf("r2") });
    await expect(second).rejects.toThrow(ConflictError);
    await db.rollouts.hold(moveOf({ status: "completed", next_tick_at: null }));
    expect(await db.rollouts.getOpen("e2i_exp")).toBeNull();
    await apply(db, { change: "start_rollout", rollout: rolloutOf("r2") });
  });

  test("a held look keeps the judge's state and the step's start; one that came too late is a conflict", async () => {
    const { db } = await open();
    await openEndpointWith(db, 2);
    await apply(db, { change: "start_rollout", rollout: rolloutOf("r1") });
    await db.rollouts.hold(moveOf());
    expect(await db.rollouts.get("r1")).toMatchObject({
      step_started_at: NOW,
      inconclusive_looks: 1,
      judge_state: { step_samples: 7 },
      verdict: { outcome: "inconclusive" },
    });
    await apply(db, moveOf({ status: "paused", next_tick_at: null }));
    await expect(db.rollouts.hold(moveOf())).rejects.toMatchObject({
      code: "conflict",
      details: { found: { status: "paused", step_index: 0 } },
    });
    await expect(db.rollouts.hold(moveOf({ rollout_id: "r9" }))).rejects.toThrow(NotFoundError);
  });

  test("a look that ends after a rollback has begun wakes no rollout that was paused before", async () => {
    const { db } = await open();
    await openEndpointWith(db, 2);
    await apply(db, { change: "start_rollout", rollout: { ...rolloutOf("r1"), status: "paused" } });
    const paused = { expected_status: ["paused" as const], status: "paused" as const };
    await apply(db, moveOf({ ...paused, next_tick_at: null }));
    await expect(db.rollouts.hold(moveOf(paused))).rejects.toThrow(ConflictError);
    expect((await db.rollouts.get("r1"))?.next_tick_at).toBeNull();
    await apply(db, moveOf(paused));
    await db.rollouts.hold(moveOf(paused));
  });

  test("what was decided at a step that the rollout has left is a conflict, and changes nothing", async () => {
    const { db } = await open();
    await openEndpointWith(db, 2);
    await apply(db, { change: "start_rollout", rollout: rolloutOf("r1") });
    await apply(db, moveOf({ step_index: 1 }));
    const late = {
      code: "conflict",
      details: { expected: { step_index: 0 }, found: { status: "running", step_index: 1 } },
    };
    await expect(db.rollouts.hold(moveOf({ inconclusive_looks: 7 }))).rejects.toMatchObject(late);
    await expect(apply(db, moveOf({ inconclusive_looks: 7 }))).rejects.toMatchObject(late);
    expect(await db.rollouts.get("r1")).toMatchObject({ step_index: 1, inconclusive_looks: 1 });
  });
}

function describeMovedRollouts(open: OpenDatabase): void {
  test("a change that asks for it leaves a rollout alone that has ended, and loses to one that has only moved", async () => {
    const { db } = await open();
    await openEndpointWith(db, 2);
    await apply(db, { change: "start_rollout", rollout: rolloutOf("r1") });
    const late = moveOf({ next_tick_at: NOW, unless_ended: true });
    await apply(db, moveOf({ status: "paused", next_tick_at: null }));
    await expect(apply(db, late)).rejects.toMatchObject({ code: "conflict" });
    await apply(db, moveOf({ expected_status: ["paused"], status: "aborted", next_tick_at: null }));
    await apply(db, late);
    expect(await db.rollouts.get("r1")).toMatchObject({ status: "aborted", next_tick_at: null });
  });

  test("what a rollout's event was decided by is kept with it, beside the judge's verdict", async () => {
    const { db } = await open();
    await openEndpointWith(db, 2);
    const begun = { metrics: { baseline_requests: 9 }, evidence: { live_figures: { candidate: null } } };
    await apply(db, { change: "start_rollout", rollout: rolloutOf("r1"), ...begun });
    const moment = { metrics: { candidate_errors: 31 }, evidence: { live_figures: null } };
    const event = { kind: "rollout_paused" as const, reason: "quiet, please", ...moment };
    await apply(db, moveOf({ status: "paused", event }));
    await apply(
      db,
      moveOf({ expected_status: ["paused"], event: { kind: "rollout_resumed", reason: "on" } }),
    );
    const events = (await db.history.list("exp")).filter(({ rollout_id }) => rollout_id !== null);
    expect(events).toMatchObject([
      { kind: "rollout_started", metrics: begun.metrics, evidence: { verdict: null, ...begun.evidence } },
      { kind: "rollout_paused", metrics: moment.metrics, evidence: { live_figures: null } },
      { kind: "rollout_resumed", metrics: {} },
    ]);
    expect(events[1]?.evidence["verdict"]).toMatchObject({ outcome: "inconclusive" });
  });
}

function describeDueRollouts(open: OpenDatabase): void {
  test("a due rollout is given to one of eight workers, and again when its claim has passed", async () => {
    const { db, another, passTime } = await open();
    await openEndpointWith(db, 2);
    await apply(db, { change: "start_rollout", rollout: rolloutOf("r1") });
    const workers = [db, another("process-b")];
    const options = { limit: 5, claim_seconds: 60 };
    const claims = await Promise.all(
      [...workers, ...workers, ...workers, ...workers].map((worker) => worker.rollouts.claimDue(options)),
    );
    expect(claims.flat()).toEqual([rolloutOf("r1")]);
    expect(await db.rollouts.claimDue(options)).toEqual([]);
    await passTime({ seconds: 60 });
    expect(await db.rollouts.claimDue(options)).toHaveLength(1);
    await db.rollouts.hold(moveOf());
    expect(await db.rollouts.claimDue(options)).toHaveLength(1);
    await db.rollouts.hold(moveOf({ next_tick_at: "2999-01-01T00:00:00Z" }));
    expect(await db.rollouts.claimDue(options)).toEqual([]);
  });

  test.each(["rollback", "abort"])("no worker is given a rollout in the middle of %s", async (action) => {
    const { db } = await open();
    await openEndpointWith(db, 2);
    await apply(db, { change: "start_rollout", rollout: rolloutOf("r1") });
    const claimDue = () => db.rollouts.claimDue({ limit: 5, claim_seconds: 60 });
    const lease = await db.leases.acquire("e2i_exp", { ttl_seconds: 60, preempt: false });
    const { operation_id: id } = await claim(db, { action });
    await db.journal.begin(id, planOf(), lease);
    expect(await claimDue()).toEqual([]);
    await db.journal.finish(id, { status: "succeeded", result: {} }, [], lease);
    expect(await claimDue()).toHaveLength(1);
  });

  test("a rollout whose look failed is due again after the pause, but no sooner than it was due", async () => {
    const { db, passTime } = await open();
    await openEndpointWith(db, 2);
    await apply(db, { change: "start_rollout", rollout: rolloutOf("r1") });
    const claimDue = () => db.rollouts.claimDue({ limit: 5, claim_seconds: 600 });
    const release = () => db.rollouts.release("r1", { retry_seconds: 30 });
    expect(await claimDue()).toHaveLength(1);
    await release();
    expect(await claimDue()).toEqual([]);
    await passTime({ seconds: 25 });
    expect(await claimDue()).toEqual([]);
    await passTime({ seconds: 6 });
    expect(await claimDue()).toHaveLength(1);
    await db.rollouts.hold(moveOf({ next_tick_at: "2999-01-01T00:00:00Z" }));
    await release();
    expect(await db.rollouts.get("r1")).toMatchObject({ next_tick_at: "2999-01-01T00:00:00Z" });
    await apply(db, moveOf({ status: "paused", next_tick_at: null }));
    await release();
    expect((await db.rollouts.get("r1"))?.next_tick_at).toBeNull();
    await db.rollouts.release("r9", { retry_seconds: 30 });
  });
}
