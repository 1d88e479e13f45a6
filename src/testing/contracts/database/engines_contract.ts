import { expect, test } from "vitest";
import { STANDARD_GATE_POLICY } from "../../../agents/model_deployer/domain/models/gate_policy.ts";
import { apply, claim, openEndpointWith } from "./database_setup.ts";
import { deploymentOf } from "./fixtures.ts";
import type { OpenDatabase } from "./harness.ts";

const { policy_id: _, ...standard } = STANDARD_GATE_POLICY;

export function describeEngines(open: OpenDatabase): void {
  test("a policy names the engine of each endpoint, and none unless told", async () => {
    const { db } = await open("standard");
    const engines = { production: "kubernetes" as const };
    const stored = await db.experiments.setGatePolicy("exp", { ...standard, engines }, "tester");
    expect(stored.engines).toEqual(engines);
    expect(await db.experiments.getGatePolicy("exp")).toEqual(stored);
    await db.experiments.setGatePolicy("exp", standard, "tester");
    expect((await db.experiments.getGatePolicy("exp")).engines).toEqual({});
  });

  test("a deployment and an endpoint keep the engine that they were made and opened for; older ones have none", async () => {
    const { db } = await open();
    await openEndpointWith(db, 2, { engine: null });
    expect(await db.deployments.get("d1")).toMatchObject({ engine: null });
    expect(await db.endpoints.get("e2i_exp")).toMatchObject({ engine: null });
    const operation = await claim(db);
    const there = { engine: "kubernetes" as const, endpoint_name: "e2i_exp_staging" };
    const written = deploymentOf(operation.operation_id, "d9", 1, { ...there, target_stage: "staging" });
    const opened = {
      ...{ change: "open_endpoint" as const, experiment_id: "exp", endpoint_url: "http://127.0.0.1:8" },
      endpoint_name: "e2i_exp_staging",
    };
    await apply(
      db,
      { ...opened, engine: "kubernetes" },
      { change: "insert_deployment", deployment: written },
    );
    await apply(db, { ...opened, engine: "local" }, opened);
    expect(await db.deployments.get("d9")).toMatchObject({ engine: "kubernetes" });
    expect(await db.endpoints.get("e2i_exp_staging")).toMatchObject({ engine: "kubernetes" });
  });
}
