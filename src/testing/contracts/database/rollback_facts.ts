import { expect, test } from "vitest";
import { apply, openEndpointWith } from "./acts.ts";
import { observe, rolloutOf, want } from "./fixtures.ts";
import type { OpenDatabase } from "./harness.ts";

export function describeRollbackFacts(open: OpenDatabase): void {
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
      open_rollout: null,
      completed_rollout: null,
    });
    expect(await db.rollbackFacts.read("d9")).toBeNull();
  });
}
