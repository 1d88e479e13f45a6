import { expect, test } from "vitest";
import {
  ConflictError,
  InvalidRequestError,
  NotFoundError,
} from "../../../../agents/model_deployer/errors.ts";
import { apply, openEndpointWith } from "../database_setup.ts";
import { observe, setStatus, want } from "../fixtures.ts";
import type { OpenDatabase } from "../harness.ts";

export function describeTraffic(open: OpenDatabase): void {
  describeWantedRoutes(open);
  describeContestedRoutes(open);
  describeAcknowledgedRoutes(open);
  describePreviousDeployment(open);
}

function describeWantedRoutes(open: OpenDatabase): void {
  test("a wanted route raises the generation, and the deployments' percentages follow", async () => {
    const { db } = await open();
    await openEndpointWith(db, 3);
    await apply(db, want(0, { d1: 100 }));
    await apply(db, want(1, { d1: 90, d2: 10 }, "d3"));
    expect(await db.endpoints.get("e2i_exp")).toMatchObject({
      generation: 2,
      weights: { d1: 90, d2: 10 },
      mirror_deployment_id: "d3",
      observed_generation: 0,
    });
    const shares = (await db.deployments.listForEndpoint("e2i_exp")).map((d) => [
      d.deployment_id,
      d.traffic_percentage,
    ]);
    expect(Object.fromEntries(shares)).toEqual({ d1: 90, d2: 10, d3: 0 });
    await apply(db, want(2, { d2: 100 }));
    expect((await db.deployments.get("d1"))?.traffic_percentage).toBe(0);
  });

  test.each([
    ["sums to 90", { d1: 90 }],
    ["is negative", { d1: 110, d2: -10 }],
    ["is a fraction", { d1: 99.5, d2: 0.5 }],
    ["is over 100", { d1: 200, d2: -100 }],
    ["names a stranger", { nobody: 100 }],
  ])("a weight set that %s is refused", async (_what, weights) => {
    const { db } = await open();
    await openEndpointWith(db, 2);
    await expect(apply(db, want(0, weights))).rejects.toThrow(InvalidRequestError);
    expect(await db.endpoints.get("e2i_exp")).toMatchObject({ generation: 0, weights: {} });
  });

  test("a mirror is not weighted too, and is a deployment of the endpoint", async () => {
    const { db } = await open();
    await openEndpointWith(db, 2);
    await expect(apply(db, want(0, { d1: 100 }, "d1"))).rejects.toThrow(/ml_endpoints_mirror_not_weighted/);
    await expect(apply(db, want(0, { d1: 100 }, "nobody"))).rejects.toThrow(NotFoundError);
  });
}

function describeContestedRoutes(open: OpenDatabase): void {
  test("of eight who want a route at once, exactly one wins each generation", async () => {
    const { db, another } = await open();
    await openEndpointWith(db, 2);
    const processes = [db, ...Array.from({ length: 7 }, (_, index) => another(`process-${index}`))];
    for (let generation = 0; generation < 10; generation += 1) {
      const tries = await Promise.allSettled(
        processes.map((process, index) => apply(process, want(generation, { d1: 100 - index, d2: index }))),
      );
      const winners = tries.flatMap(({ status }, index) => (status === "fulfilled" ? [index] : []));
      expect(winners).toHaveLength(1);
      for (const tried of tries) {
        if (tried.status === "rejected") expect(tried.reason).toBeInstanceOf(ConflictError);
      }
      const share = winners[0] ?? -1;
      expect(await db.endpoints.get("e2i_exp")).toMatchObject({
        generation: generation + 1,
        weights: { d1: 100 - share, d2: share },
      });
      expect((await db.deployments.get("d2"))?.traffic_percentage).toBe(share);
    }
  });

  test("a lost generation names what was expected and what was found", async () => {
    const { db } = await open();
    await openEndpointWith(db, 1);
    await apply(db, want(0, { d1: 100 }));
    await expect(apply(db, want(0, { d1: 100 }))).rejects.toMatchObject({
      code: "conflict",
      details: { expected: { generation: 0 }, found: { generation: 1 } },
    });
    await expect(apply(db, { ...want(0, {}), endpoint_name: "nowhere" })).rejects.toThrow(NotFoundError);
  });
}

function describeAcknowledgedRoutes(open: OpenDatabase): void {
  test("an observed generation enters the history once, by model version, with who wanted it and why", async () => {
    const { db } = await open();
    await openEndpointWith(db, 2);
    await apply(db, want(0, { d1: 90, d2: 10 }));
    expect((await db.history.list("exp")).filter(({ kind }) => kind === "traffic")).toEqual([]);
    await apply(db, observe(1));
    await apply(db, observe(1));
    const traffic = (await db.history.list("exp")).filter(({ kind }) => kind === "traffic");
    expect(traffic).toHaveLength(1);
    expect(traffic[0]).toMatchObject({
      generation: 1,
      weights: { mv_1: 90, mv_2: 10 },
      changed_by: "requester",
      reason: "weights of generation 1",
      endpoint_name: "e2i_exp",
    });
    expect(await db.endpoints.get("e2i_exp")).toMatchObject({ observed_generation: 1 });
  });

  test("an acknowledgement of a generation that has moved on is a conflict", async () => {
    const { db } = await open();
    await openEndpointWith(db, 1);
    await apply(db, want(0, { d1: 100 }));
    await apply(db, want(1, { d1: 100 }));
    await expect(apply(db, observe(1))).rejects.toThrow(ConflictError);
    await expect(apply(db, observe(3))).rejects.toThrow(ConflictError);
  });

  test("what was in production at an instant is what the newest acknowledged generation said then", async () => {
    const { db } = await open();
    await openEndpointWith(db, 2);
    const start = await db.clock.now();
    await apply(db, want(0, { d1: 100, d2: 0 }), observe(1));
    await apply(db, want(1, { d1: 30, d2: 70 }), observe(2));
    const instants = (await db.history.list("exp"))
      .filter(({ kind }) => kind === "traffic")
      .map(({ occurred_at }) => occurred_at);
    expect(await db.history.inProductionAt("e2i_exp", start)).toEqual([]);
    expect(await db.history.inProductionAt("e2i_exp", instants[0] ?? "")).toEqual([
      { model_version_id: "mv_1", weight: 100 },
    ]);
    expect(await db.history.inProductionAt("e2i_exp", instants[1] ?? "")).toEqual([
      { model_version_id: "mv_2", weight: 70 },
      { model_version_id: "mv_1", weight: 30 },
    ]);
    await expect(db.history.inProductionAt("e2i_exp", "yesterday-ish")).rejects.toThrow(InvalidRequestError);
  });

  test("an endpoint opens once; the same again is no change, another URL is a conflict", async () => {
    const { db } = await open();
    await openEndpointWith(db, 1);
    const opening = {
      change: "open_endpoint" as const,
      endpoint_name: "e2i_exp",
      experiment_id: "exp",
      endpoint_url: "http://127.0.0.1:9",
    };
    expect((await db.deployments.get("d1"))?.endpoint_url).toBe("http://127.0.0.1:9");
    await apply(db, opening);
    await expect(apply(db, { ...opening, endpoint_url: "http://127.0.0.1:10" })).rejects.toThrow(
      ConflictError,
    );
  });
}

function describePreviousDeployment(open: OpenDatabase): void {
  test("the previous production deployment is the one that served last before, and no failure", async () => {
    const { db } = await open();
    await openEndpointWith(db, 4);
    const previousOf = async (id: string) => {
      const deployment = await db.deployments.get(id);
      return deployment && (await db.deployments.getPreviousProduction(deployment))?.deployment_id;
    };
    await apply(db, want(0, { d1: 100 }), observe(1));
    expect(await previousOf("d1")).toBeUndefined();
    await apply(db, want(1, { d1: 50, d2: 50 }), observe(2));
    await apply(db, want(2, { d2: 100 }, "d4"), observe(3));
    await apply(db, want(3, { d2: 90, d3: 10 }), observe(4));
    expect(await previousOf("d2")).toBe("d1");
    expect(await previousOf("d3")).toBe("d2");
    expect(await previousOf("d4")).toBe("d3");
    await apply(db, want(4, { d2: 100 }), observe(5), setStatus("d3", "pending", "rolled_back", 60));
    expect(await previousOf("d4")).toBe("d2");
    expect(await previousOf("d2")).toBe("d1");
    await apply(db, setStatus("d1", "pending", "failed"));
    expect(await previousOf("d2")).toBeUndefined();
  });

  test("a route that was wanted but never acknowledged makes nobody a previous one", async () => {
    const { db } = await open();
    await openEndpointWith(db, 2);
    await apply(db, want(0, { d1: 100 }));
    await apply(db, want(1, { d2: 100 }), observe(2));
    const second = await db.deployments.get("d2");
    expect(second && (await db.deployments.getPreviousProduction(second))).toBeNull();
  });

  test("a deployment that was rolled back is no way back, though it served last", async () => {
    const { db } = await open();
    await openEndpointWith(db, 3);
    await apply(db, want(0, { d1: 100 }), observe(1));
    await apply(db, want(1, { d2: 100 }), observe(2), setStatus("d2", "pending", "rolled_back", 60));
    await apply(db, want(2, { d3: 100 }), observe(3));
    const third = await db.deployments.get("d3");
    expect(third && (await db.deployments.getPreviousProduction(third))?.deployment_id).toBe("d1");
  });
}
