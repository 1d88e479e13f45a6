import { ServiceUnavailableError } from "../../../../src/agents/model_deployer/errors.ts";
import { expect, test } from "vitest";
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
import type { TickReport } from "../../../../src/worker/tick_report.ts";

const threeSteps = {
  steps: [
    { weight: 10, bake_seconds: 0 },
    { weight: 50, bake_seconds: 0 },
    { weight: 100, bake_seconds: 0 },
  ],
};

/** Version 1 serves production, and version 2 may. */
async function givenTwoVersions(given: GivenDeployer) {
  const { deployment: old } = await givenInProduction(given, "run1");
  const version = await givenReadyForProduction(given, "run2");
  await promoteWithApproval(given, version);
  return { old, version };
}

async function givenRollout(given: GivenDeployer) {
  const { old, version } = await givenTwoVersions(given);
  const { deployment_id: candidate } = await deploy(given, version, "production", { rollout: threeSteps });
  return { old, candidate };
}

const makeDue = ({ world }: GivenDeployer) =>
  world.sql("update ml_rollouts set next_tick_at = clock_timestamp()");
const rollback = (given: GivenDeployer, deployment: string) =>
  act(given, "rollback", { current_deployment_id: deployment, rollback_reason: "wrong scores" });

/** Version 2 serves everything; the warm time of version 1 is over, and nothing else is due. */
async function givenDueToDrain(given: GivenDeployer) {
  const { old, version } = await givenTwoVersions(given);
  const { deployment_id: bad } = await deployAtOnce(given, version);
  await given.worker.tick();
  await given.world.sql(
    "update ml_deployments set drain_due_at = clock_timestamp() where deployment_id = $1",
    [old],
  );
  return { old, bad };
}

test("a server that is being stopped is rolled back to as soon as that has ended, by another one", async () => {
  const given = await givenDeployer();
  const { old, bad } = await givenDueToDrain(given);
  const hold = given.wire.hold("server.stop");
  const ticking = given.worker.tick();
  await hold.reached;
  const other = anotherProcess(given);
  const waits = other.wire.hold("server.start");
  const back = rollback(other, bad);
  expect((await given.router.observe(ENDPOINT, { signal: AbortSignal.timeout(120_000) }))?.weights).toEqual({
    [bad]: 100,
  });
  hold.release();
  expect((await ticking).drained).toEqual([old]);
  await waits.reached;
  waits.release();
  expect(await back).toMatchObject({ rollback_successful: true });
  expect(await given.server.list()).toContain(old);
  expect(await given.db.deployments.get(old)).toMatchObject({ status: "active", drained_at: null });
});

test("a cold rollback whose route is refused ends the server again, and the next one brings it back", async () => {
  const given = await givenDeployer();
  const { old, bad } = await givenDueToDrain(given);
  expect((await given.worker.tick()).drained).toEqual([old]);
  const running = await given.server.list();
  given.router.refuseNext("no such cluster");
  expect((await errorOf(rollback(given, bad))).message).toContain("no such cluster");
  expect(given.wire.calls).toContain("server.start");
  expect(await given.server.list()).toEqual(running);
  expect(await given.db.endpoints.get(ENDPOINT)).toMatchObject({ weights: { [bad]: 100 } });
  expect(await rollback(given, bad)).toMatchObject({ rollback_successful: true });
  expect(await given.server.list()).toContain(old);
});

test("a cold rollback that was interrupted and overtaken by another one leaves the other one's server alone", async () => {
  const given = await givenDeployer();
  const { old, bad } = await givenDueToDrain(given);
  expect((await given.worker.tick()).drained).toEqual([old]);
  const asked = {
    deployment_action: "rollback",
    current_deployment_id: bad,
    rollback_reason: "wrong scores",
  };
  given.wire.fail("server.start", { error: new ServiceUnavailableError("bentoml", "it is slow"), times: 1 });
  expect((await errorOf(given.agent.execute({ ...asked, request_id: "first" }))).retryable).toBe(true);
  const second = await anotherProcess(given).agent.execute({ ...asked, request_id: "second" });
  expect(second).toMatchObject({ rollback_successful: true });
  await given.world.sql("update ml_leases set expires_at = clock_timestamp() where not released");
  expect((await given.worker.tick()).problems).toEqual([]);
  expect(await given.server.list()).toContain(old);
  expect(await given.db.endpoints.get(ENDPOINT)).toMatchObject({ weights: { [old]: 100 } });
});

test("a server that was brought back before it was its turn is not stopped", async () => {
  const given = await givenDeployer();
  const { old, bad } = await givenDueToDrain(given);
  const hold = given.wire.hold("journal.finish");
  const rolling = rollback(given, bad);
  await hold.reached;
  expect((await anotherProcess(given).worker.tick()).drained).toEqual([]);
  hold.release();
  expect(await rolling).toMatchObject({ rollback_successful: true });
  expect(await given.server.list()).toContain(old);
});

test("a server that could not be stopped is tried again, and may be rolled back to meanwhile", async () => {
  const given = await givenDeployer();
  const { old, bad } = await givenDueToDrain(given);
  given.wire.fail("server.stop", { times: 1 });
  expect((await given.worker.tick()).problems).toHaveLength(1);
  expect(await given.db.deployments.get(old)).toMatchObject({ drained_at: null });
  await given.world.sql(
    "update ml_deployments set drain_due_at = clock_timestamp() where drain_due_at is not null",
  );
  expect((await given.worker.tick()).drained).toContain(old);
  expect(await rollback(given, bad)).toMatchObject({ rollback_successful: true });
});

/** Ticks until a report says so. */
function runUntil(given: GivenDeployer, isEnough: (report: TickReport) => boolean): Promise<void> {
  const ended = new AbortController();
  const onTick = (report: TickReport) => {
    if (isEnough(report)) ended.abort();
  };
  return given.worker.run({ signal: ended.signal, idleMs: 5, onTick });
}

test("an error that nobody has typed is a problem with a name, and the worker goes on", async () => {
  const given = await givenDeployer();
  await givenRollout(given);
  await makeDue(given);
  given.wire.fail("router.figures", { error: new RangeError("no space left"), times: 1 });
  const problems: string[] = [];
  await runUntil(given, (report) => {
    problems.push(...report.problems);
    return report.rollouts.length > 0;
  });
  expect(problems.join()).toContain("RangeError: no space left");
});

test("a rollout that has no way back is a problem with a name", async () => {
  const given = await givenDeployer();
  const { old, candidate } = await givenRollout(given);
  await given.world.sql("update ml_deployments set status = 'failed' where deployment_id = $1", [old]);
  given.server.crash(candidate);
  await makeDue(given);
  const { problems, rollouts } = await given.worker.tick();
  expect(rollouts).toMatchObject([{ advance: "stuck" }]);
  expect(problems.join()).toMatch(/rollout_\w+ has lost its endpoint or one of its deployments/);
});

test("a rollout whose look failed is looked at again two seconds later", async () => {
  const given = await givenDeployer();
  await givenRollout(given);
  await makeDue(given);
  given.wire.fail("router.figures", { times: 1 });
  expect((await given.worker.tick()).problems).toHaveLength(1);
  const paused =
    "select next_tick_at - clock_timestamp() between '1 s' and '2 s' as is_paused from ml_rollouts";
  expect(await given.world.sql(paused)).toEqual([{ is_paused: true }]);
  await given.world.passTime({ seconds: 2 });
  expect((await given.worker.tick()).rollouts).toMatchObject([{ advance: "hold" }]);
});

test("an operation that takes long to be carried on holds up no look", async () => {
  const given = await givenDeployer();
  await givenRollout(given);
  const version = await register(given, "run3");
  await promote(given, version, "staging");
  given.wire.fail("server.start", { times: 1 });
  expect((await errorOf(deploy(given, version, "staging"))).retryable).toBe(true);
  const hold = given.wire.hold("server.start");
  const ended = new AbortController();
  const looked = Promise.withResolvers<void>();
  const resumed: TickReport["resumed"] = [];
  let isHeld = false;
  const running = given.worker.run({
    signal: ended.signal,
    idleMs: 5,
    onTick: (report) => {
      resumed.push(...report.resumed);
      if (isHeld && report.rollouts.length > 0) looked.resolve();
    },
  });
  await hold.reached;
  isHeld = true;
  await makeDue(given);
  await looked.promise;
  expect(resumed).toEqual([]);
  ended.abort();
  hold.release();
  await running;
  expect(resumed).toHaveLength(1);
});

test("a rollback that is being carried on does not lose to its rollout's next step", async () => {
  const given = await givenDeployer();
  const { old, candidate } = await givenRollout(given);
  given.router.sendTraffic(ENDPOINT, 1000);
  given.server.crash(old);
  given.wire.fail("server.start", { times: 1 });
  expect((await errorOf(rollback(given, candidate))).retryable).toBe(true);
  await makeDue(given);
  const report = await given.worker.tick();
  expect(report.rollouts).toEqual([]);
  expect(report.resumed).toHaveLength(1);
  expect((await given.db.endpoints.get(ENDPOINT))?.weights).toEqual({ [old]: 100 });
});
