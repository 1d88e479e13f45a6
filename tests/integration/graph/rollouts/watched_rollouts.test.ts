import { expect, test } from "vitest";
import {
  act,
  deploy,
  deployAtOnce,
  ENDPOINT,
  errorOf,
  EXPERIMENT,
  givenDeployer,
  type GivenDeployer,
  givenInProduction,
  givenReadyForProduction,
  promoteWithApproval,
} from "../../../support/given/given_deployer.ts";

/** Version 2 at its first step over version 1, as the worker has seen. */
async function givenRollout(given: GivenDeployer, judge = {}) {
  const { deployment: old } = await givenInProduction(given, "run1");
  const version = await givenReadyForProduction(given, "run2");
  await promoteWithApproval(given, version);
  const steps = [
    { weight: 10, bake_seconds: 0 },
    { weight: 100, bake_seconds: 0 },
  ];
  const manifest = await deploy(given, version, "production", { rollout: { steps, judge } });
  await tick(given);
  return { old, candidate: manifest.deployment_id, rollout: manifest.rollout?.rollout_id ?? "" };
}

async function tick(given: GivenDeployer) {
  await given.world.sql(
    "update ml_rollouts set next_tick_at = clock_timestamp(), claimed_until = null where next_tick_at is not null",
  );
  return given.worker.tick();
}

/**
 * The deployment with all traffic fails every request; the old one gets a share back to be compared with, and the
 * worker looks.
 */
async function failBesideTheOld(given: GivenDeployer, old: string, candidate: string) {
  const failing = { [candidate]: { error_rate: 1 } };
  given.router.sendTraffic(ENDPOINT, 50, failing);
  expect((await tick(given)).rollouts).toMatchObject([{ advance: "move" }]);
  expect(await weightsOf(given)).toEqual({ [old]: 50, [candidate]: 50 });
  await tick(given);
  given.router.sendTraffic(ENDPOINT, 50, failing);
  expect((await tick(given)).rollouts).toMatchObject([{ advance: "move" }]);
}

const weightsOf = async (given: GivenDeployer) => (await given.db.endpoints.get(ENDPOINT))?.weights;

test("a completed rollout that turns bad while the old version is warm goes back by itself, and says so", async () => {
  const given = await givenDeployer();
  const { old, candidate, rollout } = await givenRollout(given);
  given.router.sendTraffic(ENDPOINT, 6000);
  await tick(given);
  expect(await given.db.rollouts.get(rollout)).toMatchObject({ status: "completed" });
  await failBesideTheOld(given, old, candidate);
  expect(await weightsOf(given)).toEqual({ [old]: 100 });
  expect(await given.db.rollouts.get(rollout)).toMatchObject({ status: "rolled_back", next_tick_at: null });
  expect((await given.db.deployments.get(candidate))?.rollback_reason).toMatch(
    /^automatic, in the retention period: the candidate fails more often.*candidate failed 75 of 675/,
  );
  expect(given.episodicMemory.episodes.at(-1)?.raw_content).toMatchObject({
    verdict: { outcome: "fail", candidate: { errors: 75 } },
  });
});

test("in the retention period nothing goes back to a server that has died, and the problem is named", async () => {
  const given = await givenDeployer();
  const { old, candidate } = await givenRollout(given);
  given.router.sendTraffic(ENDPOINT, 6000);
  await tick(given);
  given.server.crash(old);
  given.router.sendTraffic(ENDPOINT, 50, { [candidate]: { error_rate: 1 } });
  const report = await tick(given);
  expect(report.problems.join()).toContain(`that cannot be checked, because ${old} does not answer`);
  expect(await weightsOf(given)).toEqual({ [candidate]: 100 });
});

test("what went out at once goes back by itself too when it turns bad while the old version is warm", async () => {
  const given = await givenDeployer();
  const { deployment: old } = await givenInProduction(given, "run1");
  const version = await givenReadyForProduction(given, "run2");
  await promoteWithApproval(given, version);
  given.router.sendTraffic(ENDPOINT, 600);
  const { deployment_id: candidate } = await deployAtOnce(given, version);
  given.router.sendTraffic(ENDPOINT, 100);
  expect((await tick(given)).rollouts).toMatchObject([{ advance: "hold" }]);
  await failBesideTheOld(given, old, candidate);
  expect(await weightsOf(given)).toEqual({ [old]: 100 });
  expect((await given.db.deployments.get(candidate))?.rollback_reason).toMatch(
    /^automatic, in the retention period: the candidate fails more often/,
  );
});

test("a rollback by hand in the retention period ends the completed rollout as what it was, and a retry begins it again", async () => {
  const given = await givenDeployer();
  const { old, candidate, rollout } = await givenRollout(given);
  given.router.sendTraffic(ENDPOINT, 6000);
  await tick(given);
  await act(given, "rollback", { current_deployment_id: candidate, rollback_reason: "wrong scores" });
  expect(await weightsOf(given)).toEqual({ [old]: 100 });
  expect(await given.db.rollouts.get(rollout)).toMatchObject({ status: "rolled_back", next_tick_at: null });
  const events = await given.db.history.list(EXPERIMENT);
  expect(events.find(({ kind }) => kind === "rollout_rolled_back")?.reason).toBe("wrong scores");
  const retry = { deployment_action: "retry", endpoint_name: ENDPOINT, rollout_reason: "it is mended" };
  expect((await errorOf(given.agent.execute(retry))).code).toBe("approval_required");
});

test("a completed rollout is watched on when a newer one has gone back, and goes back by itself in its turn", async () => {
  const given = await givenDeployer();
  const { deployment: first } = await givenInProduction(given, "run1");
  const version = await givenReadyForProduction(given, "run2");
  await promoteWithApproval(given, version);
  const { deployment_id: second } = await deployAtOnce(given, version);
  const third = await givenReadyForProduction(given, "run3");
  await promoteWithApproval(given, third);
  await deploy(given, third, "production");
  await tick(given);
  await act(given, "abort", { endpoint_name: ENDPOINT, rollout_reason: "not today" });
  expect(await weightsOf(given)).toEqual({ [second]: 100 });
  await failBesideTheOld(given, first, second);
  expect(await weightsOf(given)).toEqual({ [first]: 100 });
});

test("a rollout without enough traffic waits for a person, takes no step, and still goes back when it turns bad", async () => {
  const given = await givenDeployer();
  const judge = { when_inconclusive: "pause", maximum_inconclusive_looks: 1 } as const;
  const { old, candidate, rollout } = await givenRollout(given, judge);
  await tick(given);
  const paused = await given.db.rollouts.get(rollout);
  expect(paused).toMatchObject({ status: "paused", step_index: 0, pause: { by: "the judge" } });
  expect(paused?.pause?.reason).toContain("no verdict after 1 looks");
  const events = await given.db.history.list(EXPERIMENT);
  expect(events.filter((event) => event.rollout_id === rollout).at(-1)).toMatchObject({
    kind: "rollout_paused",
    reason: paused?.pause?.reason,
  });
  expect(given.episodicMemory.episodes.at(-1)).toMatchObject({ outcome_type: "escalated" });
  given.router.sendTraffic(ENDPOINT, 6000);
  expect((await tick(given)).rollouts).toMatchObject([{ advance: "hold" }]);
  expect(await weightsOf(given)).toEqual({ [old]: 90, [candidate]: 10 });
  given.router.sendTraffic(ENDPOINT, 100, { [candidate]: { error_rate: 1 } });
  await tick(given);
  expect(await weightsOf(given)).toEqual({ [old]: 100 });
  expect((await given.db.deployments.get(candidate))?.rollback_reason).toMatch(
    /^automatic, while it was paused/,
  );
});

test("a candidate that becomes ten times as slow is rolled back, with both sides' quantiles in the reason", async () => {
  const given = await givenDeployer();
  const { old, candidate } = await givenRollout(given);
  for (let looks = 0; looks < 6; looks += 1) {
    given.router.sendTraffic(ENDPOINT, 400, {
      [old]: { p50_ms: 8, p99_ms: 10 },
      [candidate]: { p50_ms: 80, p99_ms: 100 },
    });
    await tick(given);
  }
  expect(await weightsOf(given)).toEqual({ [old]: 100 });
  expect((await given.db.deployments.get(candidate))?.rollback_reason).toMatch(
    /slower by its p\d+.*p50\/p90\/p99 [\d./]+ ms against [\d./]+ ms/,
  );
});

test("a baseline whose server dies in a rollout is started again before anything else is decided", async () => {
  const given = await givenDeployer();
  const { old, candidate } = await givenRollout(given);
  given.router.sendTraffic(ENDPOINT, 600);
  given.server.crash(old);
  const report = await tick(given);
  expect(report.problems.join()).toContain(`the server of the baseline ${old} does not answer`);
  expect(given.server.started.at(-1)).toBe(old);
  expect(await weightsOf(given)).toEqual({ [old]: 90, [candidate]: 10 });
  expect((await tick(given)).problems).toEqual([]);
});
