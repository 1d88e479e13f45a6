import { expect, test } from "vitest";
import {
  act,
  anotherProcess,
  deploy,
  ENDPOINT,
  errorOf,
  givenDeployer,
  type GivenDeployer,
  givenInProduction,
  givenReadyForProduction,
  promote,
  promoteWithApproval,
  register,
} from "../../../support/given/given_deployer.ts";

const STAGING = `${ENDPOINT}_staging`;

/** As if the process that holds a lease had been stopped for longer than that lasts. */
const letLeasesRunOut = (given: GivenDeployer) =>
  given.world.sql(
    "update ml_leases set expires_at = clock_timestamp() - interval '1 second' where not released",
  );

async function givenAtStaging(given: GivenDeployer, run = "run1"): Promise<string> {
  const version = await register(given, run);
  await promote(given, version, "staging");
  return version;
}

async function operationOf(given: GivenDeployer, endpoint: string) {
  const [row] = await given.db.deployments.listForEndpoint(endpoint);
  return given.db.operations.get(row?.operation_id ?? "");
}

test.each(["router.apply", "journal.finish"])(
  "a process that was stopped at %s past its lease and wakes after another has done its work changes nothing",
  async (call) => {
    const stopped = await givenDeployer();
    const version = await givenAtStaging(stopped);
    const hold = stopped.wire.hold(call);
    const late = errorOf(deploy(stopped, version, "staging"));
    await hold.reached;
    await letLeasesRunOut(stopped);
    const other = anotherProcess(stopped);
    expect((await other.worker.tick()).resumed).toHaveLength(1);
    hold.release();
    expect((await late).code).toBe("conflict");
    expect(await operationOf(other, STAGING)).toMatchObject({ status: "succeeded" });
    const [row] = await other.db.deployments.listForEndpoint(STAGING);
    expect(row).toMatchObject({ status: "active", traffic_percentage: 100 });
    expect(await other.server.list()).toEqual([row?.deployment_id]);
  },
);

test.each([
  ["router.apply", "router.apply"],
  ["server.start", "journal.record"],
])(
  "a process that wakes at %s while another is at %s neither undoes nor fails that one's work",
  async (stoppedAt, otherAt) => {
    const stopped = await givenDeployer();
    const version = await givenAtStaging(stopped);
    const hold = stopped.wire.hold(stoppedAt);
    const late = errorOf(deploy(stopped, version, "staging"));
    await hold.reached;
    await letLeasesRunOut(stopped);
    const other = anotherProcess(stopped);
    const otherHold = other.wire.hold(otherAt);
    const ticking = other.worker.tick();
    await otherHold.reached;
    hold.release();
    expect((await late).code).toBe("conflict");
    expect(await operationOf(other, STAGING)).toMatchObject({ status: "carrying_out" });
    expect(await other.server.list()).toHaveLength(1);
    otherHold.release();
    expect((await ticking).resumed).toHaveLength(1);
    expect(await operationOf(other, STAGING)).toMatchObject({ status: "succeeded" });
  },
);

/** Version 2 serves all traffic, version 1 is warm behind it. */
async function givenTwoInProduction(given: GivenDeployer) {
  const { deployment: old } = await givenInProduction(given, "run1");
  const version = await givenReadyForProduction(given, "run2");
  await promoteWithApproval(given, version);
  const steps = [
    { weight: 50, bake_seconds: 0 },
    { weight: 100, bake_seconds: 0 },
  ];
  const { deployment_id: bad } = await deploy(given, version, "production", { rollout: { steps } });
  given.router.sendTraffic(ENDPOINT, 600);
  await given.world.sql("update ml_rollouts set next_tick_at = clock_timestamp()");
  await given.worker.tick();
  return { old, bad };
}

test("a rollback takes the endpoint from a deployment under way, which a worker then undoes", async () => {
  const given = await givenDeployer();
  const { old, bad } = await givenTwoInProduction(given);
  const shadow = await givenAtStaging(given, "run3");
  await promote(given, shadow, "shadow");
  const hold = given.wire.hold("server.start");
  const deploying = errorOf(deploy(given, shadow, "shadow"));
  await hold.reached;
  const other = anotherProcess(given);
  const request = { current_deployment_id: bad, rollback_reason: "wrong scores" };
  expect(await act(other, "rollback", request)).toMatchObject({ rollback_successful: true });
  hold.release();
  expect((await deploying).code).toBe("conflict");
  await other.worker.tick();
  const [row] = await other.db.deployments.listForVersion(shadow);
  expect(row).toMatchObject({ status: "failed" });
  expect(await other.db.endpoints.get(ENDPOINT)).toMatchObject({
    weights: { [old]: 100 },
    mirror_deployment_id: null,
  });
  expect((await other.server.list()).sort()).toEqual([old, bad].sort());
});

test("a rollback whose endpoint moves on between its plan and its lease is planned again", async () => {
  const given = await givenDeployer();
  const { old, bad } = await givenTwoInProduction(given);
  const shadow = await givenAtStaging(given, "run3");
  await promote(given, shadow, "shadow");
  const rolling = anotherProcess(given);
  const hold = rolling.wire.hold("server.observe");
  const rollback = act(rolling, "rollback", { current_deployment_id: bad, rollback_reason: "wrong scores" });
  await hold.reached;
  const { deployment_id: mirror } = await deploy(given, shadow, "shadow");
  hold.release();
  expect(await rollback).toMatchObject({ rollback_successful: true });
  expect(await given.db.endpoints.get(ENDPOINT)).toMatchObject({
    weights: { [old]: 100 },
    mirror_deployment_id: mirror,
  });
});

test("what was planned for a stage that has moved since fails for good instead of being tried for ever", async () => {
  const given = await givenDeployer();
  const version = await register(given, "run1");
  const hold = given.wire.hold("journal.finish");
  const promoting = errorOf(promote(given, version, "staging"));
  await hold.reached;
  await given.world.sql("update ml_model_registry set stage = 'staging', stage_revision = 1");
  hold.release();
  expect((await promoting).code).toBe("conflict");
  const [row] = await given.world.sql("select status from ml_operations where action = 'promote'");
  expect(row).toEqual({ status: "failed" });
  expect((await given.worker.tick()).problems).toEqual([]);
});

test("two who ask for the same thing at once carry it out once", async () => {
  const given = await givenDeployer();
  const version = await givenAtStaging(given);
  const other = anotherProcess(given);
  const request = { request_id: "once" };
  const outcomes = await Promise.allSettled([
    deploy(given, version, "staging", request),
    deploy(other, version, "staging", request),
  ]);
  const done = outcomes.flatMap((one) => (one.status === "fulfilled" ? [one.value.deployment_id] : []));
  expect(new Set(done).size).toBe(1);
  expect(await given.db.deployments.listForEndpoint(STAGING)).toHaveLength(1);
  expect(await given.server.list()).toHaveLength(1);
});
