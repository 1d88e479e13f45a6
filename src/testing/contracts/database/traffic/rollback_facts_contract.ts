import { expect, test } from "vitest";
import { ConflictError } from "../../../../agents/model_deployer/errors.ts";
import type { Stage } from "../../../../agents/model_deployer/domain/entities.ts";
import { apply, openEndpointWith } from "../database_setup.ts";
import { observe, rolloutOf, setStatus, want } from "../fixtures.ts";
import type { OpenDatabase } from "../harness.ts";
import { moveOf } from "./rollouts_contract.ts";

export function describeRollbackFacts(open: OpenDatabase): void {
  describeReadFacts(open);
  describeWaysBack(open);
  describeReturns(open);
  describeCalledOffDrains(open);
}

function describeReadFacts(open: OpenDatabase): void {
  test("the facts of a rollback are what the single readers say, instants included", async () => {
    const { db } = await open();
    await openEndpointWith(db, 2);
    await apply(db, want(0, { d1: 100 }), observe(1));
    await apply(db, want(1, { d1: 90, d2: 10 }), observe(2));
    await apply(db, { change: "start_rollout", rollout: rolloutOf("r1") });

    const current = await db.deployments.get("d2");
    expect(await db.rollbackFacts.read("d2")).toEqual({
      current,
      current_version: await db.modelVersions.get("mv_2"),
      endpoint: await db.endpoints.get("e2i_exp"),
      previous: current && (await db.deployments.getPreviousProduction(current)),
      previous_version: await db.modelVersions.get("mv_1"),
      previous_restarts: null,
      previous_is_stopping: false,
      open_rollout: await db.rollouts.getOpen("e2i_exp"),
      completed_rollout: null,
    });
    expect((await db.rollbackFacts.read("d2"))?.previous?.deployment_id).toBe("d1");
  });

  test("a completed rollout is told of the deployment that it gave all traffic, and of no other", async () => {
    const { db } = await open();
    await openEndpointWith(db, 2);
    await apply(db, want(0, { d1: 100 }), observe(1));
    await apply(db, { change: "start_rollout", rollout: { ...rolloutOf("r1"), status: "completed" } });
    const facts = await db.rollbackFacts.read("d2");
    expect(facts).toMatchObject({ open_rollout: null, completed_rollout: { rollout_id: "r1" } });
    expect(await db.rollbackFacts.read("d1")).toMatchObject({ completed_rollout: null });
  });

  test("what does not exist is null", async () => {
    const { db } = await open();
    await openEndpointWith(db, 1);
    expect(await db.rollbackFacts.read("d1")).toMatchObject({
      previous: null,
      previous_version: null,
      previous_restarts: null,
      open_rollout: null,
      completed_rollout: null,
    });
    expect(await db.rollbackFacts.read("d9")).toBeNull();
  });
}

function describeWaysBack(open: OpenDatabase): void {
  test("an endpoint's ways back are what has served, the last one first, with why each left production", async () => {
    const { db } = await open();
    await openEndpointWith(db, 3);
    await apply(db, want(0, { d1: 100 }), observe(1));
    await apply(db, want(1, { d2: 100 }), observe(2));
    await apply(db, want(2, { d1: 100 }), observe(3));
    const ways = await db.rollbackFacts.waysBack("e2i_exp");
    expect(ways).toMatchObject({ endpoint: await db.endpoints.get("e2i_exp"), open_rollout: null });
    expect(ways?.production).toEqual(await db.modelVersions.getProduction("exp"));
    expect(ways?.served).toEqual([
      {
        deployment: await db.deployments.get("d1"),
        version: await db.modelVersions.get("mv_1"),
        departure: null,
        was_only_stopped: false,
        returned: null,
        is_stopping: false,
      },
      expect.objectContaining({ deployment: await db.deployments.get("d2") }),
    ]);
    expect(await db.rollbackFacts.waysBack("e2i_nothing")).toBeNull();
  });

  test("why a version left production is what was said last, with the judge's word; not while it is there", async () => {
    const { db } = await open();
    await openEndpointWith(db, 1);
    await apply(db, want(0, { d1: 100 }), observe(1));
    const version = await db.modelVersions.get("mv_1");
    const stages: Stage[] = ["development", "staging", "shadow", "production", "archived"];
    for (const [index, to] of stages.slice(1).entries()) {
      const from = stages[index] ?? "development";
      const kind = to === "archived" ? "rollback" : "promotion";
      const expected_revision = (version?.stage_revision ?? 0) + index;
      const said = { kind, reason: `to ${to}`, changed_by: "ana", metrics: {}, evidence: {} } as const;
      const moved = { change: "set_stage", model_version_id: "mv_1", from, to, expected_revision } as const;
      await apply(db, { ...moved, ...said });
      if (to === "production")
        expect((await db.rollbackFacts.waysBack("e2i_exp"))?.served[0]).toMatchObject({ departure: null });
    }
    expect((await db.rollbackFacts.waysBack("e2i_exp"))?.served[0]?.departure).toMatchObject({
      kind: "rollback",
      reason: "to archived",
      changed_by: "ana",
      verdict: null,
    });
  });
}

function describeReturns(open: OpenDatabase): void {
  test("one that has come back past what replaced it goes back to that, where nothing served before it", async () => {
    const { db } = await open();
    await openEndpointWith(db, 3);
    await apply(db, want(0, { d1: 100 }), observe(1));
    await apply(db, want(1, { d2: 100 }), observe(2), setStatus("d2", "pending", "draining", 60));
    await apply(db, want(2, { d3: 100 }), observe(3), setStatus("d3", "pending", "rolled_back", 60));
    await apply(db, want(3, { d1: 100 }), observe(4));
    expect((await db.rollbackFacts.read("d1"))?.previous?.deployment_id).toBe("d2");
    expect((await db.rollbackFacts.read("d2"))?.previous?.deployment_id).toBe("d1");
    await apply(db, setStatus("d2", "draining", "rolled_back", 60));
    expect((await db.rollbackFacts.read("d1"))?.previous).toBeNull();
  });

  test.each([
    { judged: "not bad", outcome: "inconclusive" as const, told: ["d2"] },
    { judged: "bad", outcome: "fail" as const, told: [] },
  ])(
    "whether a rollout that was judged $judged was only stopped is told until its deployment has traffic again",
    async ({ outcome, told }) => {
      const { db } = await open();
      await openEndpointWith(db, 2);
      await apply(db, want(0, { d1: 100 }), observe(1));
      await apply(db, want(1, { d1: 90, d2: 10 }), observe(2));
      await apply(db, { change: "start_rollout", rollout: rolloutOf("r1") });
      const stopped = async () => {
        const ways = await db.rollbackFacts.waysBack("e2i_exp");
        return ways?.served.flatMap(({ deployment, was_only_stopped: is }) =>
          is ? deployment.deployment_id : [],
        );
      };
      expect(await stopped()).toEqual([]);
      await apply(db, want(2, { d1: 100 }), observe(3));
      const { verdict: seen } = moveOf();
      const verdict = seen ? { ...seen, outcome } : null;
      await apply(db, moveOf({ status: "aborted", next_tick_at: null, verdict }));
      expect(await stopped()).toEqual(told);
      await apply(db, want(3, { d2: 100 }), observe(4));
      expect(await stopped()).toEqual([]);
    },
  );
}

function describeCalledOffDrains(open: OpenDatabase): void {
  test("a drain that is called off stops nothing, unless it has begun or is over; it is due again where it is resumed", async () => {
    const { db } = await open();
    await openEndpointWith(db, 1);
    const due = async () =>
      (await db.deployments.claimForDraining({ limit: 10, claim_seconds: 60 })).map((d) => d.deployment_id);
    const callOff = (was_drained: boolean) =>
      apply(db, { change: "call_off_drain", deployment_id: "d1", was_drained });
    await apply(db, setStatus("d1", "pending", "draining", 0));
    const { drain_due_at = null } = (await db.deployments.get("d1")) ?? {};
    await expect(callOff(true)).rejects.toThrow(ConflictError);
    await callOff(false);
    expect(await due()).toEqual([]);
    const resume = { change: "resume_drain", deployment_id: "d1", due_at: drain_due_at } as const;
    await apply(db, resume);
    expect(await due()).toEqual(["d1"]);
    await expect(callOff(false)).rejects.toThrow("is being stopped");
    await apply(db, { change: "mark_drained", deployment_id: "d1" });
    await expect(callOff(false)).rejects.toThrow("has been stopped since");
    await callOff(true);
    await apply(db, resume);
    expect(await due()).toEqual([]);
    await apply(db, setStatus("d1", "draining", "active"), resume);
    expect((await db.deployments.get("d1"))?.drain_due_at).toBeNull();
  });
}
