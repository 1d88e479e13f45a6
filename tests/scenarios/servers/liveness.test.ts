import { expect, test } from "vitest";
import {
  createTestDeployer,
  ENDPOINT,
  EXPERIMENT,
  inProduction,
  type TestDeployer,
} from "../../../src/testing/index.ts";
import { givenHalfRollout } from "../../support/given/given_half_rollout.ts";

const signal = new AbortController().signal;

/** Looks at the rollout and for drift, every five seconds. */
async function lookFor(given: TestDeployer, seconds: number) {
  for (let passed = 0; passed < seconds; passed += 5) {
    given.passTime({ seconds: 5 });
    await given.worker.tick();
    await given.capabilities.reconciler.reconcile({ signal });
  }
}

/** All that tells whether anything was done to servers or traffic. */
async function portrait(given: TestDeployer) {
  const calls = given.wire.calls.filter((call) => call === "server.start" || call === "server.stop");
  const history = await given.database.history.list(EXPERIMENT);
  const endpoint = await given.database.endpoints.get(ENDPOINT);
  return { calls: calls.length, history: history.length, endpoint, servers: await given.server.list() };
}

test("what both versions ask is away for a while, in a rollout: nothing is stopped, started or moved", async () => {
  const given = await createTestDeployer();
  await givenHalfRollout(given);
  const before = await portrait(given);
  given.server.failSamples("the feature store is away");
  await lookFor(given, 15);
  given.server.failSamples(null);
  await lookFor(given, 15);
  expect(await portrait(given)).toEqual(before);
});

test("what the model asks is away for a minute, without a rollout: no server is stopped", async () => {
  const given = await createTestDeployer();
  await inProduction(given, "run1");
  await given.worker.tick();
  const before = await portrait(given);
  given.server.failSamples("the feature store is away");
  await lookFor(given, 60);
  expect(await portrait(given)).toEqual(before);
});

test("a server whose process is gone is started again while what its model asks is away", async () => {
  const given = await createTestDeployer();
  const { deployment } = await inProduction(given, "run1");
  await given.worker.tick();
  given.server.failSamples("the feature store is away");
  given.server.crash(deployment);
  const { findings } = await given.capabilities.reconciler.reconcile({ signal });
  expect(findings).toMatchObject([{ subject: deployment, outcome: "repaired" }]);
  expect(await given.server.observe(deployment, { signal })).toMatchObject({ state: "ready" });
});

test("one late answer to a probe changes nothing and is no history; the generation keeps its approvals", async () => {
  const given = await createTestDeployer();
  const { deployment } = await inProduction(given, "run1");
  await given.worker.tick();
  const before = await portrait(given);
  given.server.hang(deployment, "did not answer in time");
  const { findings } = await given.capabilities.reconciler.reconcile({ signal });
  expect(findings).toMatchObject([{ subject: deployment, outcome: "left" }]);
  expect(findings[0]?.why).toContain("missed 1 of 2 probes in a row");
  given.server.wake(deployment);
  expect((await given.capabilities.reconciler.reconcile({ signal })).findings).toEqual([]);
  expect(await portrait(given)).toEqual(before);
});

test("a candidate that answers late once is held; one that stays silent goes back after as many misses as its stage asks for", async () => {
  const given = await createTestDeployer();
  const { baseline, candidate } = await givenHalfRollout(given);
  const before = await portrait(given);
  const weights = async () => (await given.database.endpoints.get(ENDPOINT))?.weights;
  given.server.hang(candidate, "did not answer in time");
  await lookFor(given, 10);
  given.server.wake(candidate);
  await lookFor(given, 30);
  expect(await portrait(given)).toEqual(before);
  given.server.hang(candidate, "did not answer in time");
  await lookFor(given, 25);
  expect(await weights()).toEqual({ [baseline]: 100 });
});

test("a candidate that answers its callers is alive, however late it answers a probe", async () => {
  const given = await createTestDeployer();
  const { candidate } = await givenHalfRollout(given);
  const before = await portrait(given);
  given.server.hang(candidate, "did not answer in time");
  for (let looks = 0; looks < 12; looks += 1) {
    given.router.sendTraffic(ENDPOINT, 10);
    given.passTime({ seconds: 5 });
    await given.worker.tick();
  }
  expect(await portrait(given)).toEqual(before);
});

test("a baseline that does not answer a probe is not started again beside its own process", async () => {
  const given = await createTestDeployer();
  const { baseline } = await givenHalfRollout(given);
  const before = await portrait(given);
  given.server.hang(baseline, "did not answer in time");
  await lookFor(given, 10);
  expect(await portrait(given)).toEqual(before);
});

test("a server that stays silent is replaced: another one is started beside it, gets the traffic, and then the silent one ends", async () => {
  const given = await createTestDeployer();
  const { deployment } = await inProduction(given, "run1");
  await given.worker.tick();
  const before = await given.database.endpoints.get(ENDPOINT);
  const address = given.router.serverOf(ENDPOINT, deployment);
  given.server.hang(deployment, "8 of 8 predictions hang");
  given.server.failSamples("the feature store is away");
  const started = [...given.server.started];
  await lookFor(given, 10);
  expect(given.server.started).toEqual(started);
  given.wire.calls.length = 0;
  await lookFor(given, 20);
  const moves = given.wire.calls.filter((call) => /^(server\.(start|stop)|router\.apply)$/.test(call));
  expect(moves).toEqual(["server.start", "router.apply", "server.stop"]);
  const observed = await given.server.observe(deployment, { signal });
  expect(observed).toMatchObject({ state: "ready", port: given.router.serverOf(ENDPOINT, deployment)?.port });
  expect(observed).not.toHaveProperty("replaced");
  expect(given.router.serverOf(ENDPOINT, deployment)).not.toEqual(address);
  expect(await given.database.endpoints.get(ENDPOINT)).toEqual(before);
});

test("a silent server that nothing can take the place of goes on, and the report says why", async () => {
  const given = await createTestDeployer();
  const { deployment, manifest } = await inProduction(given, "run1");
  await given.worker.tick();
  const before = await portrait(given);
  given.server.hang(deployment, "did not answer in time");
  given.server.breakModel(manifest.bento_tag, "no memory is left");
  await lookFor(given, 30);
  const { findings } = await given.capabilities.reconciler.reconcile({ signal });
  expect(findings).toMatchObject([{ subject: deployment, outcome: "left" }]);
  expect(findings[0]?.why).toContain("no memory is left");
  given.server.wake(deployment);
  expect((await portrait(given)).servers).toEqual(before.servers);
});

test("a replacement that was cut off before its end is ended by the next look", async () => {
  const given = await createTestDeployer();
  const { deployment } = await inProduction(given, "run1");
  await given.worker.tick();
  given.server.hang(deployment, "did not answer in time");
  await lookFor(given, 10);
  given.wire.fail("server.stop", { times: 1 });
  await lookFor(given, 15);
  expect(await given.server.observe(deployment, { signal })).not.toHaveProperty("replaced");
});

test("where there is memory for one server only, the silent one goes on, and the report says so before anything is done", async () => {
  const given = await createTestDeployer();
  const { deployment } = await inProduction(given, "run1");
  await given.worker.tick();
  const before = await portrait(given);
  const started = [...given.server.started];
  given.server.hang(deployment, "did not answer in time");
  given.server.leaveRoomForOne();
  await lookFor(given, 30);
  const { findings } = await given.capabilities.reconciler.reconcile({ signal });
  expect(findings).toMatchObject([{ subject: deployment, outcome: "left" }]);
  expect(findings[0]?.why).toContain("There is memory for one server");
  const after = await portrait(given);
  expect(after.servers).toEqual(before.servers);
  expect(given.server.started).toEqual(started);
});
