import { expect, test } from "vitest";
import { ConflictError, NotFoundError } from "../../../agents/model_deployer/errors.ts";
import { apply, claim, openEndpointWith } from "./database_setup.ts";
import { deploymentOf, NOW, planOf, setStatus, want } from "./fixtures.ts";
import type { OpenDatabase } from "./harness.ts";

export function describeDeployments(open: OpenDatabase): void {
  describeWrittenDeployments(open);
  describeContestedDeployments(open);
  describeDraining(open);
}

function describeWrittenDeployments(open: OpenDatabase): void {
  test("a deployment reads back as it was written, with the URL of its open endpoint", async () => {
    const { db } = await open();
    await openEndpointWith(db, 1);
    const operation = await claim(db);
    const written = deploymentOf(operation.operation_id, "d9", 1, { previous_deployment_id: "d1" });
    await db.journal.begin(
      operation.operation_id,
      planOf([{ change: "insert_deployment", deployment: written }]),
      null,
    );
    expect(await db.deployments.get("d9")).toEqual({ ...written, endpoint_url: "http://127.0.0.1:9" });
    expect((await db.deployments.listForVersion("mv_1")).map((d) => d.deployment_id)).toEqual(["d1", "d9"]);
  });

  test("the first active sets the activation, a later one leaves it", async () => {
    const { db } = await open();
    await openEndpointWith(db, 1);
    await apply(db, setStatus("d1", "pending", "active"));
    const first = await db.deployments.get("d1");
    expect(first?.activated_at).not.toBeNull();
    await apply(db, setStatus("d1", "active", "draining", 3600));
    await apply(db, setStatus("d1", "draining", "active"));
    expect(await db.deployments.get("d1")).toEqual(first);
  });

  test("a deployment is dated once", async () => {
    const { db } = await open();
    await openEndpointWith(db, 1);
    const date = { change: "date_deployment" as const, deployment_id: "d1" };
    const first = { deployed_at: "2026-03-01T12:00:00.000000Z", deployment_duration_seconds: 12.34 };
    await apply(db, { ...date, ...first });
    await apply(db, { ...date, deployed_at: NOW, deployment_duration_seconds: 99 });
    expect(await db.deployments.get("d1")).toMatchObject({
      deployed_at: "2026-03-01T12:00:00Z",
      deployment_duration_seconds: 12.34,
    });
    await expect(apply(db, { ...date, ...first, deployment_id: "none" })).rejects.toThrow(NotFoundError);
  });
}

/** A deployment that was changed meanwhile is left as it is. */
function describeContestedDeployments(open: OpenDatabase): void {
  test("a status that has moved loses, and says what was found", async () => {
    const { db } = await open();
    await openEndpointWith(db, 1);
    await expect(apply(db, setStatus("d1", "deploying", "active"))).rejects.toMatchObject({
      code: "conflict",
      details: { expected: { status: ["deploying"] }, found: { status: "pending" } },
    });
    await expect(apply(db, setStatus("d9", "deploying", "active"))).rejects.toThrow(NotFoundError);
  });

  test.each([
    ["unless_ended", "rolled_back"],
    ["unless_ended", "draining"],
    ["unless_rolled_back", "draining"],
  ] as const)(
    "a failure leaves a deployment alone, where it says so by %s, that is %s meanwhile",
    async (unless, ended) => {
      const { db } = await open();
      await openEndpointWith(db, 1);
      const failed = { ...setStatus("d1", "deploying", "failed"), [unless]: true };
      await expect(apply(db, failed)).rejects.toThrow(ConflictError);
      await apply(db, setStatus("d1", "pending", ended), failed);
      expect((await db.deployments.get("d1"))?.status).toBe(ended);
    },
  );

  test("resources are set by whoever saw the present ones, and nobody else", async () => {
    const { db } = await open();
    await openEndpointWith(db, 1);
    const found = await db.deployments.get("d1");
    const expected = {
      replicas: 1,
      cpu_limit: found?.cpu_limit ?? "",
      memory_limit: found?.memory_limit ?? "",
      autoscaling: { min: 1, max: 5, target_cpu: 70 },
    };
    const resources = { ...expected, replicas: 3, memory_limit: "6Gi" };
    const change = { change: "set_resources", deployment_id: "d1", expected, resources } as const;
    await apply(db, change);
    expect(await db.deployments.get("d1")).toEqual({ ...found, replicas: 3, memory_limit: "6Gi" });
    await expect(apply(db, change)).rejects.toThrow(ConflictError);
    await expect(apply(db, { ...change, deployment_id: "none" })).rejects.toThrow(NotFoundError);
  });
}

function describeDraining(open: OpenDatabase): void {
  test("a replaced deployment is due to drain after its warm time, once, and not when it is back", async () => {
    const { db } = await open();
    await openEndpointWith(db, 3);
    const due = async () =>
      (await db.deployments.claimForDraining({ limit: 10, claim_seconds: 60 })).map((d) => d.deployment_id);
    await apply(
      db,
      setStatus("d1", "pending", "draining", 0),
      setStatus("d2", "pending", "draining", 3600),
      setStatus("d3", "pending", "rolled_back", 0),
    );
    const only = { limit: 10, claim_seconds: 60 };
    expect(await db.deployments.claimForDraining({ ...only, deployment_id: "d2" })).toEqual([]);
    const one = await db.deployments.claimForDraining({ ...only, deployment_id: "d1" });
    expect(one.map((d) => d.deployment_id)).toEqual(["d1"]);
    await db.deployments.giveUpDraining("d1", { retry_seconds: 0 });
    expect((await due()).toSorted()).toEqual(["d1", "d3"]);
    expect(await due()).toEqual([]);
    const rolledBackAt = (await db.deployments.get("d3"))?.rolled_back_at;
    await apply(db, setStatus("d3", "rolled_back", "rolled_back", 0));
    expect((await db.deployments.get("d3"))?.rolled_back_at).toBe(rolledBackAt);
    await expect(apply(db, setStatus("d3", "rolled_back", "active"))).rejects.toThrow("is being stopped");
    await db.deployments.giveUpDraining("d3", { retry_seconds: 0 });
    expect(await db.deployments.get("d3")).toMatchObject({ drained_at: null });
    expect((await db.deployments.get("d3"))?.rolled_back_at).not.toBeNull();
    await apply(db, { change: "mark_drained", deployment_id: "d1" });
    const drained = await db.deployments.get("d1");
    expect(drained?.drained_at).not.toBeNull();
    await apply(db, { change: "mark_drained", deployment_id: "d1" });
    expect(await db.deployments.get("d1")).toEqual(drained);
    expect(await due()).toEqual(["d3"]);
    await db.deployments.giveUpDraining("d3", { retry_seconds: 0 });
    await apply(db, setStatus("d3", "rolled_back", "active"));
    expect(await due()).toEqual([]);
  });

  test("a server that the route names is not claimed to be stopped, and one that is claimed gets no route", async () => {
    const { db } = await open();
    await openEndpointWith(db, 3);
    const due = async () =>
      (await db.deployments.claimForDraining({ limit: 10, claim_seconds: 60 })).map((d) => d.deployment_id);
    await apply(db, want(0, { d1: 100 }, "d2"));
    await apply(db, ...["d1", "d2", "d3"].map((id) => setStatus(id, "pending", "draining", 0)));
    expect(await due()).toEqual(["d3"]);
    await expect(apply(db, want(1, { d1: 90, d3: 10 }))).rejects.toThrow("is being stopped");
    await expect(apply(db, want(1, { d1: 100 }, "d3"))).rejects.toThrow("is being stopped");
    await db.deployments.giveUpDraining("d3", { retry_seconds: 60 });
    await apply(db, want(1, { d1: 90, d3: 10 }));
  });

  test("an active deployment is not marked as drained", async () => {
    const { db } = await open();
    await openEndpointWith(db, 1);
    await apply(db, setStatus("d1", "pending", "active"));
    await expect(apply(db, { change: "mark_drained", deployment_id: "d1" })).rejects.toThrow(ConflictError);
  });
}
