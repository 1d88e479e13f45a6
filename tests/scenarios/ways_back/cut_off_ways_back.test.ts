import { expect, test } from "vitest";
import {
  act,
  createTestDeployer,
  deploy,
  deployAtOnce,
  ENDPOINT,
  errorOf,
  inProduction,
  promoteWithApproval,
  readyForProduction,
} from "../../../src/testing/index.ts";
import { modelDeployerRequestOf } from "../../support/decisions/followed.ts";

const signal = new AbortController().signal;

/** The bad version still gets all requests, for the rollback was cut off between the database and the router. */
async function givenCutOff() {
  const given = await createTestDeployer();
  const good = await inProduction(given, "run1");
  const version = await readyForProduction(given, "run2");
  await promoteWithApproval(given, version);
  const bad = { version, deployment: (await deployAtOnce(given, version)).deployment_id };
  given.wire.fail("router.apply", { times: 1 });
  const rollback = { endpoint_name: ENDPOINT, rollback_reason: "callers get nonsense" };
  const cut = await errorOf(act(given, "rollback", rollback));
  expect(cut).toMatchObject({ code: "service_unavailable", retryable: true });
  expect(await given.router.observe(ENDPOINT, { signal })).toMatchObject({
    weights: { [bad.deployment]: 100 },
  });
  return { given, good, bad };
}

async function expectGoodAgain({ given, good, bad }: Awaited<ReturnType<typeof givenCutOff>>) {
  expect(await given.router.observe(ENDPOINT, { signal })).toMatchObject({
    weights: { [good.deployment]: 100 },
  });
  expect(await given.database.deployments.get(good.deployment)).toMatchObject({ status: "active" });
  expect(await given.database.deployments.get(bad.deployment)).toMatchObject({ status: "rolled_back" });
  expect(await given.database.modelVersions.get(good.version)).toMatchObject({ stage: "production" });
}

test("no rollout begins on an endpoint that is half way back, and one may begin once a worker has ended the rollback", async () => {
  const cut = await givenCutOff();
  const { given, bad } = cut;
  const deploy = { model_version_id: bad.version, target_stage: "production" as const };
  const refused = await errorOf(act(given, "deploy", deploy));
  expect(refused).toMatchObject({ code: "conflict", retryable: false });
  expect(refused.message).toContain("is being brought back to");
  expect(refused.message).toContain(`${bad.version} leaves production`);
  expect(refused.next.map(({ action }) => action)).toEqual(["rollback"]);

  given.passTime({ minutes: 1 });
  await given.worker.tick();
  await expectGoodAgain(cut);
  expect(await errorOf(act(given, "deploy", deploy))).toMatchObject({ code: "stage_mismatch" });
});

test("whoever asks again for what was cut off brings it to its end, however it is asked for", async () => {
  for (const to of ["the endpoint's name", "the good deployment", "the good version"]) {
    const cut = await givenCutOff();
    const { given, good } = cut;
    const named = { "the good deployment": good.deployment, "the good version": good.version }[to];
    await act(given, "rollback", {
      endpoint_name: ENDPOINT,
      rollback_reason: "another operator sees the same nonsense",
      ...(named === undefined ? {} : { rollback_to: named }),
    });
    await expectGoodAgain(cut);
    given.passTime({ minutes: 1 });
    await given.worker.tick();
    await expectGoodAgain(cut);
  }
});

test("what a cut-off rollback takes out serves again by its name, with words, and what was to come back stays warm", async () => {
  const { given, good, bad } = await givenCutOff();
  const asked = { endpoint_name: ENDPOINT, rollback_to: bad.deployment, rollback_reason: "it is innocent" };
  const refused = await errorOf(act(given, "rollback", asked));
  expect(refused).toMatchObject({ code: "rollback_failed", retryable: false });
  expect(refused.message).toContain("is being rolled back at this moment. Say with condemned_because");
  expect(refused.next[0]?.request).toMatchObject({ condemned_because: "..." });
  const words = { condemned_because: "the feature store was away" };
  const { warnings } = await act(given, "rollback", { ...asked, ...words });
  expect(warnings?.join("\n")).toContain("It serves again because: the feature store was away");
  for (let round = 0; round < 2; round += 1) {
    expect(await given.router.observe(ENDPOINT, { signal })).toMatchObject({
      weights: { [bad.deployment]: 100 },
    });
    expect(await given.database.deployments.get(bad.deployment)).toMatchObject({ status: "active" });
    expect(await given.database.deployments.get(good.deployment)).toMatchObject({ status: "draining" });
    expect(await given.database.modelVersions.get(bad.version)).toMatchObject({ stage: "production" });
    given.passTime({ minutes: 1 });
    await given.worker.tick();
  }
});

test("the candidate of a rollout that is being rolled back comes back by name once that has ended", async () => {
  const given = await createTestDeployer();
  await inProduction(given, "run1");
  const version = await readyForProduction(given, "run2");
  await promoteWithApproval(given, version);
  const { deployment_id: candidate } = await deploy(given, version, "production");
  const rollback = { endpoint_name: ENDPOINT, rollback_reason: "callers get nonsense" };
  given.wire.fail("router.apply", { times: 1 });
  await errorOf(act(given, "rollback", rollback));
  const asked = { ...rollback, rollback_to: candidate, condemned_because: "the feature store was away" };
  const refused = await errorOf(act(given, "rollback", asked));
  expect(refused).toMatchObject({ code: "conflict", retryable: true });
  expect(refused.message).toContain("which is being rolled back");
  await given.agent.execute(modelDeployerRequestOf(refused.next[0]));
  await act(given, "rollback", asked);
  expect(await given.router.observe(ENDPOINT, { signal })).toMatchObject({ weights: { [candidate]: 100 } });
  given.passTime({ minutes: 1 });
  await given.worker.tick();
  expect(await given.database.deployments.get(candidate)).toMatchObject({ status: "active" });
});

test("nothing is archived on an endpoint that is half way back, for that rollback gives stages, too", async () => {
  const cut = await givenCutOff();
  const { given, bad } = cut;
  const archival = { model_version_id: bad.version, target_stage: "archived" as const };
  const refused = await errorOf(act(given, "promote", archival));
  expect(refused).toMatchObject({ code: "conflict", retryable: false });
  expect(refused.message).toContain("is being brought back to");
  expect(refused.message).toContain(`${bad.version} leaves production`);
  given.passTime({ minutes: 1 });
  await given.worker.tick();
  await expectGoodAgain(cut);
  expect(await errorOf(act(given, "promote", archival))).toMatchObject({ retryable: false });
});

test("of two ways back that were cut off the one that fails lets the other one come to its end", async () => {
  const given = await createTestDeployer();
  const good = await inProduction(given, "run1");
  const version = await readyForProduction(given, "run2");
  await promoteWithApproval(given, version);
  const { deployment_id: candidate } = await deploy(given, version, "production");
  given.server.crash(good.deployment);
  const away = { code: "service_unavailable", retryable: true };
  const first = {
    endpoint_name: ENDPOINT,
    rollback_to: good.version,
    rollback_reason: "callers get nonsense",
  };
  given.wire.fail("server.start", { times: 1 });
  expect(await errorOf(act(given, "rollback", first))).toMatchObject(away);
  const second = { ...first, rollback_reason: "callers still get nonsense" };
  given.wire.fail("router.apply", { times: 1 });
  expect(await errorOf(act(given, "rollback", second))).toMatchObject(away);
  expect(await errorOf(act(given, "rollback", first))).toMatchObject({ code: "conflict" });

  given.passTime({ minutes: 1 });
  expect((await given.worker.tick()).problems).toEqual([]);
  await expectGoodAgain({ given, good, bad: { version, deployment: candidate } });
  expect(await given.database.history.lastRollout(ENDPOINT)).toMatchObject({ status: "rolled_back" });
});
