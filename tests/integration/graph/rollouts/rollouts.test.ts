import { expect, test } from "vitest";
import {
  act,
  deploy,
  ENDPOINT,
  errorOf,
  EXPERIMENT,
  givenDeployer,
  type GivenDeployer,
  givenInProduction,
  givenReadyForProduction,
  promoteWithApproval,
} from "../../../support/given/given_deployer.ts";

const twoSteps = {
  steps: [
    { weight: 10, bake_seconds: 0 },
    { weight: 50, bake_seconds: 0 },
    { weight: 100, bake_seconds: 0 },
  ],
};

/** Version 2 at its first step over version 1. */
async function givenRollout(given: GivenDeployer) {
  const first = await givenInProduction(given, "run1");
  const version = await givenReadyForProduction(given, "run2");
  await promoteWithApproval(given, version);
  const manifest = await deploy(given, version, "production", { rollout: twoSteps });
  return { first, version, deployment: manifest.deployment_id, manifest };
}

/** Its next look is due now, and nobody else has claimed it. */
async function tick(given: GivenDeployer) {
  await given.world.sql(
    "update ml_rollouts set next_tick_at = clock_timestamp(), claimed_until = null where status = 'running'",
  );
  return given.worker.tick();
}

async function completeRollout(given: GivenDeployer) {
  for (const _step of [2, 3]) {
    await tick(given);
    given.router.sendTraffic(ENDPOINT, 600);
    await tick(given);
  }
}

const weightsOf = async (given: GivenDeployer) => (await given.db.endpoints.get(ENDPOINT))?.weights;
const rollback = (given: GivenDeployer, deployment: string) =>
  act(given, "rollback", { current_deployment_id: deployment, rollback_reason: "wrong scores" });

test("the node takes the first step and answers; ticks take the rest, and the old one is kept warm", async () => {
  const given = await givenDeployer();
  const { first, deployment, manifest, version } = await givenRollout(given);
  expect(manifest).toMatchObject({ status: "deploying", rollout: { status: "running", step_index: 0 } });
  expect(await weightsOf(given)).toEqual({ [first.deployment]: 90, [deployment]: 10 });
  const untilNow = await tick(given);
  expect(untilNow.rollouts).toMatchObject([{ advance: "hold" }]);
  expect(untilNow.rollouts[0]?.reason).toContain("0 of at least 50");
  given.router.sendTraffic(ENDPOINT, 600);
  expect((await tick(given)).rollouts).toMatchObject([{ advance: "move" }]);
  expect(await weightsOf(given)).toEqual({ [first.deployment]: 50, [deployment]: 50 });
  await tick(given);
  given.router.sendTraffic(ENDPOINT, 600);
  const report = await tick(given);
  expect(report.problems).toEqual([]);
  expect(await weightsOf(given)).toEqual({ [deployment]: 100 });
  const { deployed_at, deployment_duration_seconds } = manifest;
  expect(await given.db.deployments.get(deployment)).toMatchObject({
    status: "active",
    deployed_at,
    deployment_duration_seconds,
  });
  const replaced = await given.db.deployments.get(first.deployment);
  expect(replaced).toMatchObject({ status: "draining", drained_at: null });
  expect(await given.server.list()).toContain(first.deployment);
  expect(await given.db.rollouts.getOpen(ENDPOINT)).toBeNull();
  expect((await given.db.modelVersions.getProduction(EXPERIMENT))?.model_version_id).toBe(version);
});

test("weights sum to 100 in everything that the router was ever asked for", async () => {
  const given = await givenDeployer();
  await givenRollout(given);
  given.router.sendTraffic(ENDPOINT, 600);
  await tick(given);
  const sums = given.router.applied
    .map((route) => Object.values(route.weights))
    .filter((weights) => weights.length > 0)
    .map((weights) => weights.reduce((sum, weight) => sum + weight, 0));
  expect(new Set(sums)).toEqual(new Set([100]));
  const generations = given.router.applied.filter((route) => route.endpoint_name === ENDPOINT);
  expect(generations.map((route) => route.generation)).toEqual(generations.map((_, index) => index + 1));
});

test("a bad canary is rolled back by the judge, with its numbers in the history and both memories", async () => {
  const given = await givenDeployer();
  const { first, version, deployment } = await givenRollout(given);
  await tick(given);
  given.router.sendTraffic(ENDPOINT, 100, { [deployment]: { error_rate: 1 } });
  const report = await tick(given);
  expect(report.rollouts).toMatchObject([{ advance: "move" }]);
  expect(report.rollouts[0]?.reason).toContain("the candidate fails more often, beyond doubt at 0.01");
  expect(await weightsOf(given)).toEqual({ [first.deployment]: 100 });
  expect(await given.db.deployments.get(deployment)).toMatchObject({ status: "rolled_back" });
  expect(await given.db.modelVersions.get(version)).toMatchObject({ stage: "archived" });
  expect((await given.db.modelVersions.getProduction(EXPERIMENT))?.model_version_id).toBe(first.version);
  const history = await given.db.history.list(EXPERIMENT);
  expect(history.find((one) => one.kind === "rollback")?.reason).toContain("candidate failed 10 of 10");
  expect(history.findLast((one) => one.kind === "traffic")).toMatchObject({
    from_weights: { [first.version]: 90, [version]: 10 },
    weights: { [first.version]: 100 },
    metrics: { candidate_requests: 10, candidate_errors: 10, baseline_errors: 0 },
    evidence: {
      verdict: { outcome: "fail", candidate: { requests: 10, errors: 10 } },
      model_metrics: { [first.version]: { test_auc: 0.9 } },
    },
  });
  expect(given.episodicMemory.episodes.at(-1)).toMatchObject({ event_subtype: "rollback" });
  const signal = AbortSignal.timeout(120_000);
  expect(await given.proceduralMemory.experience("rollback:e2i_remission", { signal })).toEqual({
    usage_count: 1,
    success_count: 1,
  });
});

test("a rollback while the old one is warm is one change of weights and starts no server", async () => {
  const given = await givenDeployer();
  const { first, deployment } = await givenRollout(given);
  await completeRollout(given);
  const before = [...given.server.started];
  const state = await rollback(given, deployment);
  expect(state).toMatchObject({ rollback_successful: true, active_deployment_id: first.deployment });
  expect(given.server.started).toEqual(before);
  expect(await weightsOf(given)).toEqual({ [first.deployment]: 100 });
  expect(await given.db.deployments.get(first.deployment)).toMatchObject({
    status: "active",
    drain_due_at: null,
  });
  expect(await given.db.deployments.get(deployment)).toMatchObject({
    status: "rolled_back",
    rollback_reason: "wrong scores",
  });
});

test("a rollback to one that was stopped serves its bento again first", async () => {
  const given = await givenDeployer({ settings: { retention_seconds: 0 } });
  const { first, deployment } = await givenRollout(given);
  await completeRollout(given);
  await given.worker.tick();
  expect(await given.server.list()).toEqual([deployment]);
  given.packager.lose("e2i_remission:v1");
  const state = await rollback(given, deployment);
  expect(state.warnings?.join()).toContain("started again from its bento");
  expect(given.server.started.at(-1)).toBe(first.deployment);
  expect(given.packager.built.at(-1)).toBe("e2i_remission:v1");
  expect(await weightsOf(given)).toEqual({ [first.deployment]: 100 });
});

test("a rollback in the middle of a rollout ends it", async () => {
  const given = await givenDeployer();
  const { first, deployment, manifest } = await givenRollout(given);
  await rollback(given, deployment);
  expect(await given.db.rollouts.get(manifest.rollout?.rollout_id ?? "")).toMatchObject({
    status: "rolled_back",
  });
  expect(await weightsOf(given)).toEqual({ [first.deployment]: 100 });
  expect((await given.worker.tick()).rollouts).toEqual([]);
});

test("while a rollout is under way neither its baseline is rolled back nor its version archived nor another deployed", async () => {
  const given = await givenDeployer();
  const { first, version } = await givenRollout(given);
  expect((await errorOf(rollback(given, first.deployment))).message).toContain("is the baseline of");
  const archive = act(given, "promote", { model_version_id: version, target_stage: "archived" });
  expect((await errorOf(archive)).code).toBe("conflict");
  const another = act(given, "deploy", { model_version_id: version, target_stage: "production" });
  expect((await errorOf(another)).message).toContain("wait for its end or roll");
});

test("a bad version that a newer one has superseded is rolled back all the same", async () => {
  const given = await givenDeployer();
  const { first, deployment } = await givenRollout(given);
  await completeRollout(given);
  const third = await givenReadyForProduction(given, "run3");
  await promoteWithApproval(given, third);
  expect(await rollback(given, deployment)).toMatchObject({ rollback_successful: true });
  expect(await weightsOf(given)).toEqual({ [first.deployment]: 100 });
  expect((await given.db.modelVersions.getProduction(EXPERIMENT))?.model_version_id).toBe(third);
});

test("nothing to go back to is refused, and the refusal is remembered", async () => {
  const given = await givenDeployer();
  const { deployment } = await givenInProduction(given, "run1");
  const error = await errorOf(rollback(given, deployment));
  expect(error.code).toBe("rollback_failed");
  await given.worker.tick();
  const last = given.episodicMemory.episodes.at(-1);
  expect(last).toMatchObject({ event_subtype: "refusal", outcome_type: "failure" });
  expect(last?.description).toContain("No previous production deployment");
});

test("all at once over another waits for an approval", async () => {
  const given = await givenDeployer();
  const { deployment: old } = await givenInProduction(given, "run1");
  const version = await givenReadyForProduction(given, "run2");
  await promoteWithApproval(given, version);
  const request = {
    model_version_id: version,
    target_stage: "production" as const,
    rollout: "immediate" as const,
  };
  const error = await errorOf(given.agent.execute({ deployment_action: "deploy", ...request }));
  expect(error.code).toBe("approval_required");
  expect(await weightsOf(given)).toEqual({ [old]: 100 });
});

test("a candidate whose server dies is rolled back at the next look, whatever its figures say", async () => {
  const given = await givenDeployer();
  const { first, deployment } = await givenRollout(given);
  given.router.sendTraffic(ENDPOINT, 600);
  given.server.crash(deployment);
  await tick(given);
  expect(given.router.applied.at(-1)?.weights).toEqual({ [first.deployment]: 100 });
  expect(await given.db.deployments.get(deployment)).toMatchObject({ status: "rolled_back" });
});
