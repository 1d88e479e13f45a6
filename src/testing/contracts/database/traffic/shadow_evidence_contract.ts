import { expect, test } from "vitest";
import { NotFoundError } from "../../../../agents/model_deployer/errors.ts";
import { apply, openEndpointWith } from "../database_setup.ts";
import { setStatus } from "../fixtures.ts";
import type { OpenDatabase } from "../harness.ts";

export function describeShadowEvidence(open: OpenDatabase): void {
  describeShadowCounts(open);
  describeShadowHours(open);
}

function describeShadowCounts(open: OpenDatabase): void {
  test("shadow evidence adds up over the counters' lives, counting nothing twice", async () => {
    const { db } = await open();
    await openEndpointWith(db, 1);
    const figures = (epoch: string, requests: number, errors: number, p99_ms: number | null) => ({
      deployment_id: "d1",
      epoch,
      requests,
      errors,
      p50_ms: 1,
      p99_ms,
    });
    expect(await db.shadowEvidence.read("d1")).toBeNull();
    await db.shadowEvidence.collect("d1", figures("one", 0, 0, null));
    expect(await db.shadowEvidence.read("d1")).toMatchObject({
      requests: 0,
      errors: 0,
      p99_ms: null,
      hours: 0,
    });
    await db.shadowEvidence.collect("d1", figures("one", 100, 2, 9));
    await db.shadowEvidence.collect("d1", figures("one", 100, 2, 9));
    await db.shadowEvidence.collect("d1", figures("two", 50, 1, 7));
    await db.shadowEvidence.collect("d1", figures("one", 80, 1, 20));
    expect(await db.shadowEvidence.collect("d1", figures("two", 60, 1, 8))).toMatchObject({
      requests: 160,
      errors: 3,
      p99_ms: 9,
    });
  });

  test("collections at once count each request once", async () => {
    const { db } = await open();
    await openEndpointWith(db, 1);
    await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        db.shadowEvidence.collect("d1", {
          deployment_id: "d1",
          epoch: "one",
          requests: (index + 1) * 10,
          errors: index,
          p50_ms: 1,
          p99_ms: 2,
        }),
      ),
    );
    expect(await db.shadowEvidence.read("d1")).toMatchObject({ requests: 200, errors: 19 });
  });

  test("evidence for a deployment that does not exist is refused", async () => {
    const { db } = await open();
    const figures = { deployment_id: "d9", epoch: "one", requests: 1, errors: 0, p50_ms: 1, p99_ms: 2 };
    await expect(db.shadowEvidence.collect("d9", figures)).rejects.toThrow(NotFoundError);
  });
}

function describeShadowHours(open: OpenDatabase): void {
  test("hours count from the activation by the database's clock, and begin anew when a shadow is restarted", async () => {
    const { db, passTime } = await open();
    await openEndpointWith(db, 1, { target_stage: "shadow" });
    await apply(db, setStatus("d1", "pending", "active"));
    await passTime({ hours: 23 });
    const figures = { deployment_id: "d1", epoch: "one", requests: 1, errors: 0, p50_ms: 1, p99_ms: 2 };
    const evidence = await db.shadowEvidence.collect("d1", figures);
    expect(evidence.hours).toBeGreaterThanOrEqual(23);
    expect(evidence.hours).toBeLessThan(23.1);
    await apply(db, setStatus("d1", "active", "draining", 60), setStatus("d1", "draining", "active"));
    expect((await db.shadowEvidence.read("d1"))?.hours).toBeLessThan(1);
  });

  test("hours in which the router was away are none, and go on where the same counters are seen", async () => {
    const { db, passTime } = await open();
    await openEndpointWith(db, 1, { target_stage: "shadow" });
    await apply(db, setStatus("d1", "pending", "active"));
    const figures = { deployment_id: "d1", requests: 1, errors: 0, p50_ms: 1, p99_ms: 2 };
    const collect = (epoch: string) => db.shadowEvidence.collect("d1", { ...figures, epoch });
    const hours = async (epoch?: string) =>
      Math.round((await db.shadowEvidence.read("d1", epoch))?.hours ?? -1);
    await passTime({ hours: 1 });
    await collect("one");
    await passTime({ hours: 20 });
    await collect("two");
    expect(await hours()).toBe(1);
    await passTime({ hours: 2 });
    expect(Math.round((await collect("two")).hours)).toBe(3);
    await passTime({ hours: 4 });
    expect([await hours(), await hours("two"), await hours("three")]).toEqual([3, 7, 3]);
    await collect("three");
    expect(await hours()).toBe(3);
    await apply(db, setStatus("d1", "active", "draining", 60), setStatus("d1", "draining", "active"));
    await passTime({ hours: 5 });
    await collect("four");
    expect(await hours()).toBe(5);
  });
}
