import { expect, test } from "vitest";
import { ServerNotReadyError } from "../../../src/agents/model_deployer/errors.ts";
import {
  createTestDeployer,
  deploy,
  ENDPOINT,
  errorOf,
  inProduction,
  promoteWithApproval,
  readyForProduction,
  type TestDeployer,
} from "../../../src/testing/index.ts";

/** A version at production whose shadow still runs beside another version's production server. */
async function givenShadowed(given: TestDeployer) {
  await inProduction(given, "run1");
  const version = await readyForProduction(given, "run2");
  await promoteWithApproval(given, version);
  const shadow =
    (await given.database.endpoints.get(ENDPOINT))?.mirror_deployment_id ?? expect.fail("no shadow");
  return { version, shadow, started: [...given.server.started] };
}

async function foundByWorkers(given: TestDeployer): Promise<string[]> {
  given.passTime({ minutes: 10 });
  expect((await given.worker.tick()).problems).toEqual([]);
  const report = await given.capabilities.reconciler.reconcile({ signal: AbortSignal.timeout(60_000) });
  return report.findings.map(({ found }) => found);
}

test("a version that goes to production gets the running server of its shadow, and draining the shadow ends nothing", async () => {
  const given = await createTestDeployer();
  const { version, shadow, started } = await givenShadowed(given);
  const { deployment_id: id } = await deploy(given, version, "production");
  expect(given.server.started).toEqual(started);
  expect(await given.server.list()).toContain(id);
  expect(await given.server.list()).not.toContain(shadow);
  const endpoint = await given.database.endpoints.get(ENDPOINT);
  expect(endpoint?.mirror_deployment_id).toBeNull();
  expect(endpoint?.weights[id]).toBeGreaterThan(0);
  expect(await foundByWorkers(given)).toEqual([]);
  expect((await given.database.deployments.get(shadow))?.drained_at).not.toBeNull();
  expect(await given.server.list()).toContain(id);
});

test("where more servers are asked for, only those that are missing are started", async () => {
  const given = await createTestDeployer();
  const { version, started } = await givenShadowed(given);
  const { deployment_id: id } = await deploy(given, version, "production", { replicas: 3 });
  expect(given.server.started.slice(started.length)).toEqual([`${id}.replica-2`, `${id}.replica-3`]);
});

test("a shadow that hangs, or has other limits, keeps its server, and one is started", async () => {
  for (const why of ["hangs", "other limits"]) {
    const given = await createTestDeployer();
    const { version, shadow } = await givenShadowed(given);
    if (why === "hangs") given.server.hang(shadow);
    const request = why === "hangs" ? {} : { memory_limit: "3Gi" };
    const { deployment_id: id } = await deploy(given, version, "production", request);
    expect(given.server.started, why).toContain(id);
    expect(await given.server.list(), why).toContain(id);
  }
});

test("a shadow that has begun to hang since the plan is not adopted", async () => {
  const given = await createTestDeployer();
  const { version, shadow } = await givenShadowed(given);
  const held = given.wire.hold("packager.findPackage");
  const deploying = deploy(given, version, "production");
  await held.reached;
  held.release();
  const again = given.wire.hold("server.observe");
  await again.reached;
  given.server.hang(shadow);
  again.release();
  const { deployment_id: id } = await deploying;
  expect(given.server.started).toContain(id);
});

test.each([
  ["its sample fails", (given: TestDeployer) => given.server.failSamples("the feature store is away")],
  [
    "the traffic cannot be switched",
    (given: TestDeployer) =>
      given.wire.failStep("apply_route", { times: 1, error: new ServerNotReadyError("it says no") }),
  ],
])("where %s, the shadow has its server again and goes on", async (_why, fail) => {
  const given = await createTestDeployer();
  const { version, shadow, started } = await givenShadowed(given);
  fail(given);
  await errorOf(deploy(given, version, "production"));
  given.server.failSamples(null);
  expect(await given.server.list()).toContain(shadow);
  expect(given.server.started).toEqual(started);
  expect(await given.database.endpoints.get(ENDPOINT)).toMatchObject({ mirror_deployment_id: shadow });
  expect(await foundByWorkers(given)).toEqual([]);
});

test("a deployment that was cut off after it adopted the server goes on with it", async () => {
  const given = await createTestDeployer();
  const { version, started } = await givenShadowed(given);
  given.wire.failStep("start_server", {
    times: 1,
    when: "after",
    error: new TypeError("the process was killed"),
  });
  await expect(deploy(given, version, "production")).rejects.toThrow();
  given.passTime({ minutes: 1 });
  const { deployment_id: id } = await deploy(given, version, "production");
  expect(given.server.started).toEqual(started);
  expect(await given.server.list()).toContain(id);
});
