import { expect, test } from "vitest";
import {
  act,
  createTestDeployer,
  deployAtOnce,
  ENDPOINT,
  type TestDeployer,
} from "../../../src/testing/index.ts";
import { givenFix, givenHalfRollout } from "../../support/given/given_half_rollout.ts";

const signal = new AbortController().signal;

/** Version 1 is warm, version 2 has all traffic. */
async function givenReplaced(given: TestDeployer) {
  const { former, version } = await givenFix(given);
  const { deployment_id: deployment } = await deployAtOnce(given, version);
  return { former, deployment };
}

/** Moves of servers and traffic that an act asked for. */
async function movesOf(given: TestDeployer, act: () => Promise<unknown>) {
  given.wire.calls.length = 0;
  await act();
  return given.wire.calls.filter((call) => /^(server\.(start|stop)|router\.apply)$/.test(call));
}

test("an operator aborts a rollout whose servers all hang: the traffic moves at once, and no server is waited for", async () => {
  const given = await createTestDeployer();
  const { baseline, candidate } = await givenHalfRollout(given);
  for (const hanging of [baseline, candidate]) given.server.hang(hanging, "8 of 8 predictions hang");
  const abort = () => act(given, "abort", { endpoint_name: ENDPOINT, rollout_reason: "it hangs" });
  expect(await movesOf(given, abort)).toEqual(["router.apply"]);
  expect((await given.database.endpoints.get(ENDPOINT))?.weights).toEqual({ [baseline]: 100 });
});

test("a rollback to a server that hangs and has no traffic starts another one beside it", async () => {
  const given = await createTestDeployer();
  const { former, deployment } = await givenReplaced(given);
  given.server.hang(former, "8 of 8 predictions hang");
  given.server.failSamples("the feature store is away");
  const rollback = { current_deployment_id: deployment, rollback_reason: "it is bad" };
  expect(await movesOf(given, () => act(given, "rollback", rollback))).toEqual([
    "server.start",
    "router.apply",
  ]);
  expect(await given.server.observe(former, { signal })).toMatchObject({ state: "ready" });
});

test("a rollback to a server that has ended needs nothing of what its model asks", async () => {
  const given = await createTestDeployer();
  const { former, deployment } = await givenReplaced(given);
  given.server.crash(former);
  given.server.failSamples("the feature store is away");
  await act(given, "rollback", { current_deployment_id: deployment, rollback_reason: "it is bad" });
  expect((await given.database.endpoints.get(ENDPOINT))?.weights).toEqual({ [former]: 100 });
});

test("a server that hangs on the route keeps nobody from restarting another one there", async () => {
  const given = await createTestDeployer();
  const { baseline, candidate } = await givenHalfRollout(given);
  given.server.hang(baseline, "8 of 8 predictions hang");
  await act(given, "restart", { deployment_id: candidate, restart_reason: "it leaks" });
  expect(await given.server.observe(candidate, { signal })).not.toHaveProperty("replaced");
});

/** Looks each five seconds at callers of whom so many fail, by deployment. */
async function lookFor(
  given: TestDeployer,
  seconds: number,
  failing: Record<string, { error_rate: number }>,
) {
  for (let passed = 0; passed < seconds; passed += 5) {
    given.passTime({ seconds: 5 });
    given.router.sendTraffic(ENDPOINT, 200, failing);
    await given.worker.tick();
  }
}

const rolloutOf = async (given: TestDeployer) =>
  (await given.database.history.lastRollout(ENDPOINT)) ?? expect.fail("no rollout was begun");

test("what both versions ask hangs, and each server comes out of it at a moment of its own: nothing is held against either", async () => {
  const given = await createTestDeployer();
  const { baseline, candidate } = await givenHalfRollout(given);
  await lookFor(given, 20, {});
  for (const hanging of [baseline, candidate]) given.server.hang(hanging, "8 of 8 predictions hang");
  await lookFor(given, 60, { [baseline]: { error_rate: 0.8 }, [candidate]: { error_rate: 1 } });
  given.server.wake(baseline);
  await lookFor(given, 30, { [candidate]: { error_rate: 1 } });
  const held = await rolloutOf(given);
  expect(held).toMatchObject({ status: "running", verdict: { outcome: "inconclusive", lacks: "server" } });
  expect(held.verdict?.reason).toContain("predictions of both sides hang");
  given.server.wake(candidate);
  await lookFor(given, 60, {});
  expect(await rolloutOf(given)).toMatchObject({ status: "running", verdict: { outcome: "pass" } });
});

test("a candidate that hangs on long after its baseline answers again goes back", async () => {
  const given = await createTestDeployer();
  const { baseline, candidate } = await givenHalfRollout(given);
  for (const hanging of [baseline, candidate]) given.server.hang(hanging, "8 of 8 predictions hang");
  await lookFor(given, 30, { [baseline]: { error_rate: 1 }, [candidate]: { error_rate: 1 } });
  given.server.wake(baseline);
  await lookFor(given, 120, { [candidate]: { error_rate: 1 } });
  expect(await rolloutOf(given)).toMatchObject({ status: "rolled_back" });
});

test("a candidate that hangs beside a baseline that answers is given no time", async () => {
  const given = await createTestDeployer();
  const { candidate } = await givenHalfRollout(given);
  given.server.hang(candidate, "8 of 8 predictions hang");
  await lookFor(given, 15, { [candidate]: { error_rate: 1 } });
  expect(await rolloutOf(given)).toMatchObject({ status: "rolled_back" });
});
