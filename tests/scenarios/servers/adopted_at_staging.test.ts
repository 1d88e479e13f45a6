import { expect, test } from "vitest";
import { ConflictError, ServerNotReadyError } from "../../../src/agents/model_deployer/errors.ts";
import {
  createTestDeployer,
  deploy,
  ENDPOINT,
  errorOf,
  promote,
  register,
  type TestDeployer,
} from "../../../src/testing/index.ts";

const STAGING = `${ENDPOINT}_staging`;

/** A version that is served at staging and has been promoted to the shadow. */
async function givenStaged(given: TestDeployer) {
  const version = await register(given, "run1");
  await promote(given, version, "staging");
  const { deployment_id: staged } = await deploy(given, version, "staging");
  await promote(given, version, "shadow");
  return { version, staged, started: [...given.server.started] };
}

/** The shadow is mirrored to; the next route is staging's. */
async function failSecondRoute(given: TestDeployer): Promise<void> {
  const first = given.wire.hold("router.apply");
  await first.reached;
  const second = given.wire.hold("router.apply");
  first.release();
  await second.reached;
  given.wire.failStep("apply_route", { times: 1, error: new ConflictError("it has moved on") });
  second.release();
}

const routeAt = async (given: TestDeployer, name: string) => {
  const { signal } = new AbortController();
  return given.router.observe(name, { signal });
};

async function foundByWorkers(given: TestDeployer): Promise<string[]> {
  given.passTime({ minutes: 10 });
  expect((await given.worker.tick()).problems).toEqual([]);
  const report = await given.capabilities.reconciler.reconcile({ signal: AbortSignal.timeout(60_000) });
  return report.findings.map(({ found }) => found);
}

test("a shadow gets the running server of staging, which nobody has asked, and staging says that it has none", async () => {
  const given = await createTestDeployer();
  const { version, staged, started } = await givenStaged(given);
  const { deployment_id: id } = await deploy(given, version, "shadow");
  expect(given.server.started).toEqual(started);
  expect(await given.server.list()).toEqual([id]);
  expect(await routeAt(given, ENDPOINT)).toMatchObject({ mirror_deployment_id: id });
  expect(await routeAt(given, STAGING)).toMatchObject({ weights: {}, mirror_deployment_id: null });
  expect(await foundByWorkers(given)).toEqual([]);
  const ended = await given.database.deployments.get(staged);
  expect(ended).toMatchObject({ status: "draining" });
  expect(ended?.drained_at).not.toBeNull();
  expect(await given.server.list()).toEqual([id]);
});

test("where a server was adopted, staging is served anew by the next version", async () => {
  const given = await createTestDeployer();
  const { version, started } = await givenStaged(given);
  await deploy(given, version, "shadow");
  const next = await register(given, "run2");
  await promote(given, next, "staging");
  const { deployment_id: id } = await deploy(given, next, "staging");
  expect(await routeAt(given, STAGING)).toMatchObject({ weights: { [id]: 100 } });
  expect(given.server.started).toEqual([...started, id]);
  expect(await foundByWorkers(given)).toEqual([]);
});

test("callers of staging keep their server, unless who deploys says otherwise", async () => {
  const given = await createTestDeployer();
  const { version, staged } = await givenStaged(given);
  given.router.sendTraffic(STAGING, 1);
  const own = await deploy(given, version, "shadow");
  expect(given.server.started).toContain(own.deployment_id);
  expect(await routeAt(given, STAGING)).toMatchObject({ weights: { [staged]: 100 } });
  const taken = await deploy(given, version, "shadow", { adopt_staging: true });
  expect(given.server.started).not.toContain(taken.deployment_id);
  expect(await routeAt(given, STAGING)).toMatchObject({ weights: {} });
});

test("a server is started where who deploys wants one of its own, or staging's has other limits", async () => {
  for (const request of [{ adopt_staging: false }, { memory_limit: "3Gi" }]) {
    const given = await createTestDeployer();
    const { version, staged } = await givenStaged(given);
    const { deployment_id: id } = await deploy(given, version, "shadow", request);
    expect(given.server.started).toContain(id);
    expect(await given.server.list()).toContain(staged);
    expect(await routeAt(given, STAGING)).toMatchObject({ weights: { [staged]: 100 } });
  }
});

test.each([
  ["its sample fails", (given: TestDeployer) => given.server.failSamples("the feature store is away")],
  [
    "the mirror cannot be set",
    (given: TestDeployer) =>
      given.wire.failStep("apply_route", { times: 1, error: new ServerNotReadyError("it says no") }),
  ],
  ["staging's route cannot be taken back", failSecondRoute],
])("where %s, staging has its server again, and its callers never lose it", async (_why, fail) => {
  const given = await createTestDeployer();
  const { version, staged, started } = await givenStaged(given);
  void fail(given);
  await errorOf(deploy(given, version, "shadow"));
  given.server.failSamples(null);
  expect(await given.server.list()).toEqual([staged]);
  expect(given.server.started).toEqual(started);
  expect(await routeAt(given, STAGING)).toMatchObject({ weights: { [staged]: 100 } });
  expect(await given.database.deployments.get(staged)).toMatchObject({ status: "active" });
  expect(await foundByWorkers(given)).toEqual([]);
});

test("a server that has begun to hang since the plan stays where it is, and whoever asks again gets a new one", async () => {
  const given = await createTestDeployer();
  const { version, staged } = await givenStaged(given);
  const planned = given.wire.hold("router.open");
  const deploying = errorOf(deploy(given, version, "shadow"));
  await planned.reached;
  given.server.hang(staged);
  planned.release();
  expect(await deploying).toBeInstanceOf(ConflictError);
  expect(await routeAt(given, STAGING)).toMatchObject({ weights: { [staged]: 100 } });
  const { deployment_id: id } = await deploy(given, version, "shadow");
  expect(given.server.started).toContain(id);
});

test("while somebody works on staging, nothing of it is taken", async () => {
  const given = await createTestDeployer();
  const { version, staged } = await givenStaged(given);
  const lease = await given.database.leases.acquire(STAGING, { ttl_seconds: 60, preempt: false });
  expect(await errorOf(deploy(given, version, "shadow"))).toBeInstanceOf(ConflictError);
  expect(await given.server.list()).toEqual([staged]);
  await given.database.leases.release(lease);
  const { deployment_id: id } = await deploy(given, version, "shadow");
  expect(await given.server.list()).toEqual([id]);
});

test("a deployment that was cut off after it adopted the server is left to itself by the look at staging, and goes on", async () => {
  const given = await createTestDeployer();
  const { version, started } = await givenStaged(given);
  given.wire.failStep("start_server", {
    times: 1,
    when: "after",
    error: new TypeError("the process was killed"),
  });
  await expect(deploy(given, version, "shadow")).rejects.toThrow();
  given.passTime({ minutes: 1 });
  await given.capabilities.reconciler.reconcile({ signal: AbortSignal.timeout(60_000) });
  expect(given.server.started).toEqual(started);
  const { deployment_id: id } = await deploy(given, version, "shadow");
  expect(given.server.started).toEqual(started);
  expect(await given.server.list()).toEqual([id]);
});
