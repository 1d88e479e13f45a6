import { expect, test } from "vitest";
import { NotFoundError } from "../../../agents/model_deployer/errors.ts";
import { apply, openEndpointWith } from "./database_setup.ts";
import { observe, setStatus, want } from "./fixtures.ts";
import type { OpenDatabase } from "./harness.ts";

const failure = {
  change: "note_restart" as const,
  deployment_id: "d1",
  failures: 2,
  wait_seconds: 60,
  last_error: "no memory is left",
};

export function describeServerRestarts(open: OpenDatabase): void {
  test("the way back from a deployment tells how often what it would go back to could not be started", async () => {
    const { db } = await open();
    await openEndpointWith(db, 2);
    await apply(db, want(0, { d1: 100 }), observe(1));
    await apply(db, want(1, { d1: 90, d2: 10 }), observe(2));
    await apply(db, failure);
    const told = { failures: 2, last_error: "no memory is left", is_due: false };
    expect((await db.rollbackFacts.read("d2"))?.previous_restarts).toMatchObject(told);
    await apply(db, { ...failure, failures: 0, wait_seconds: null, last_error: null });
    expect((await db.rollbackFacts.read("d2"))?.previous_restarts).toBeNull();
  });

  test("a server that could not be started is due when its wait is over, for every process", async () => {
    const { db, another, passTime } = await open();
    await openEndpointWith(db, 1);
    await apply(db, setStatus("d1", "pending", "active"), want(0, { d1: 100 }));
    const restarts = async () => {
      const [facts] = await another("process-b").reconciliation.endpoints({ after: null, limit: 5 });
      return facts?.served[0]?.restarts;
    };
    expect(await restarts()).toBeNull();
    await apply(db, failure);
    expect(await restarts()).toMatchObject({ failures: 2, last_error: "no memory is left", is_due: false });
    await passTime({ seconds: 59 });
    expect(await restarts()).toMatchObject({ is_due: false });
    await passTime({ seconds: 1 });
    expect(await restarts()).toMatchObject({ failures: 2, is_due: true });
    await apply(db, { ...failure, failures: 0, wait_seconds: null, last_error: null });
    expect(await restarts()).toBeNull();
    await expect(apply(db, { ...failure, deployment_id: "nobody" })).rejects.toThrow(NotFoundError);
  });
}
