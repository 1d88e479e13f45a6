import { expect, test } from "vitest";
import { ServiceRefusedError } from "../../../../src/agents/model_deployer/errors.ts";
import {
  act,
  anotherProcess,
  deploy,
  deployAtOnce,
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

const thirds = (first: number) => ({
  steps: [
    { weight: first, bake_seconds: 0 },
    { weight: 100, bake_seconds: 0 },
  ],
});
const signal = new AbortController().signal;

const letTicksBeDue = ({ world }: GivenDeployer) =>
  world.sql("update ml_rollouts set next_tick_at = clock_timestamp(), claimed_until = null");

/** The first version serves, the second may go to production. */
async function givenTwo(given: GivenDeployer) {
  const { deployment } = await givenInProduction(given, "run1");
  const version = await givenReadyForProduction(given, "run2");
  await promoteWithApproval(given, version);
  return { first: deployment, version };
}

const rollBack = (given: GivenDeployer, deployment: string) =>
  act(given, "rollback", { current_deployment_id: deployment, rollback_reason: "bad" });

test("a deploy that a rollback preempted at its end is undone when it is resumed, not reported as done", async () => {
  const given = await givenDeployer();
  const { first, version } = await givenTwo(given);
  const second = (await deployAtOnce(given, version)).deployment_id;
  const third = await givenReadyForProduction(given, "run3");
  await promoteWithApproval(given, third);
  const hold = given.wire.hold("journal.finish");
  const late = errorOf(deploy(given, third, "production", { rollout: thirds(50) }));
  await hold.reached;
  const other = anotherProcess(given);
  expect(await rollBack(other, second)).toMatchObject({ active_deployment_id: first });
  hold.release();
  expect((await late).code).toBe("conflict");
  await other.worker.tick();
  expect(await other.db.rollouts.getOpen(ENDPOINT)).toBeNull();
  expect(await other.db.endpoints.get(ENDPOINT)).toMatchObject({ weights: { [first]: 100 } });
  const [newest] = await other.db.deployments.listForEndpoint(ENDPOINT);
  expect(newest).toMatchObject({ model_version_id: third, status: "failed", traffic_percentage: 0 });
});

test("a candidate whose deployment was cut off after its first traffic is rolled back, and the deployment ends", async () => {
  const given = await givenDeployer();
  const { first, version } = await givenTwo(given);
  given.wire.fail("journal.finish", { times: 1 });
  await errorOf(deploy(given, version, "production", { rollout: thirds(10) }));
  expect(await given.db.endpoints.get(ENDPOINT)).toMatchObject({ weights: { [first]: 90 } });
  const candidate = Object.keys((await given.db.endpoints.get(ENDPOINT))?.weights ?? {}).find(
    (id) => id !== first,
  );
  const byName = { endpoint_name: ENDPOINT, rollback_reason: "bad" };
  expect(await act(given, "rollback", byName)).toMatchObject({ active_deployment_id: first });
  expect((await given.worker.tick()).resumed).toMatchObject([{ action: "deploy", outcome: "undone" }]);
  expect(await given.db.endpoints.get(ENDPOINT)).toMatchObject({ weights: { [first]: 100 } });
  expect(await given.db.deployments.get(candidate ?? "")).toMatchObject({
    status: "rolled_back",
    rollback_reason: "bad",
  });
});

test("a dead shadow holds up no rollback, and is no longer mirrored to", async () => {
  const given = await givenDeployer();
  const { first, version } = await givenTwo(given);
  const second = (await deployAtOnce(given, version)).deployment_id;
  const third = await register(given, "run3");
  await promote(given, third, "staging");
  await promote(given, third, "shadow");
  given.server.crash((await deploy(given, third, "shadow")).deployment_id);
  expect(await rollBack(given, second)).toMatchObject({ rollback_successful: true });
  expect(await given.router.observe(ENDPOINT, { signal })).toMatchObject({
    weights: { [first]: 100 },
    mirror_deployment_id: null,
  });
});

test("a candidate that dies is rolled back, whatever step was due", async () => {
  const given = await givenDeployer();
  const { first, version } = await givenTwo(given);
  const candidate = (await deploy(given, version, "production", { rollout: thirds(50) })).deployment_id;
  given.router.sendTraffic(ENDPOINT, 1000);
  given.server.crash(candidate);
  await letTicksBeDue(given);
  await given.worker.tick();
  given.router.sendTraffic(ENDPOINT, 1000, { [candidate]: { error_rate: 1 } });
  await letTicksBeDue(given);
  await given.worker.tick();
  expect(await given.router.observe(ENDPOINT, { signal })).toMatchObject({ weights: { [first]: 100 } });
  expect(await given.db.deployments.get(candidate)).toMatchObject({ status: "rolled_back" });
});

test("a server that the router may still send to is left running when its route could not be undone", async () => {
  const given = await givenDeployer();
  const { first, version } = await givenTwo(given);
  const hold = given.wire.hold("router.apply");
  const error = new ServiceRefusedError("envoy", "says no after the fact");
  given.wire.fail("router.apply", { error, when: "after", times: 1 });
  // With other limits than its shadow, so that it gets a server of its own.
  const failing = errorOf(deploy(given, version, "production", { rollout: thirds(50), cpu_limit: "1" }));
  await hold.reached;
  given.server.crash(first);
  hold.release();
  await failing;
  const [failed] = await given.db.deployments.listForEndpoint(ENDPOINT);
  const id = failed?.deployment_id ?? "";
  expect(failed).toMatchObject({ status: "failed" });
  expect(await given.server.observe(id, { signal })).toMatchObject({ state: "ready" });
});

test("a server that was adopted is its shadow's again when the route could not be undone, and goes on running", async () => {
  const given = await givenDeployer();
  const { first, version } = await givenTwo(given);
  const shadow = (await given.db.endpoints.get(ENDPOINT))?.mirror_deployment_id ?? "";
  const hold = given.wire.hold("router.apply");
  const error = new ServiceRefusedError("envoy", "says no after the fact");
  given.wire.fail("router.apply", { error, when: "after", times: 1 });
  const failing = errorOf(deploy(given, version, "production", { rollout: thirds(50) }));
  await hold.reached;
  expect(await given.server.list()).not.toContain(shadow);
  given.server.crash(first);
  hold.release();
  await failing;
  const [failed] = await given.db.deployments.listForEndpoint(ENDPOINT);
  expect(failed).toMatchObject({ status: "failed" });
  expect(await given.server.observe(shadow, { signal })).toMatchObject({ state: "ready" });
});

test("a rollout takes no step while a rollback of it is under way", async () => {
  const given = await givenDeployer({ settings: { patience_seconds: 1 } });
  const { first, version } = await givenTwo(given);
  const candidate = (await deploy(given, version, "production", { rollout: thirds(10) })).deployment_id;
  given.router.sendTraffic(ENDPOINT, 1000);
  await given.server.stop(first, { signal });
  given.wire.hang("server.start");
  expect(await rollBack(given, candidate)).toMatchObject({ status: "in_progress" });
  given.wire.mend();
  await letTicksBeDue(given);
  await given.worker.tick();
  await given.worker.tick();
  expect(await given.router.observe(ENDPOINT, { signal })).toMatchObject({ weights: { [first]: 100 } });
  expect(await given.db.deployments.get(candidate)).toMatchObject({ status: "rolled_back" });
});

test("a key that met a conflict is free to be tried again when that is over", async () => {
  const given = await givenDeployer();
  const { version } = await givenTwo(given);
  const candidate = (await deploy(given, version, "production", { rollout: thirds(10) })).deployment_id;
  const request = { request_id: "archive-it" };
  expect((await errorOf(promote(given, version, "archived", request))).code).toBe("conflict");
  await rollBack(given, candidate);
  expect((await errorOf(promote(given, version, "archived", request))).code).toBe("invalid_promotion_path");
});
