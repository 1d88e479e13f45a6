import { expect, test } from "vitest";
import {
  act,
  createTestDeployer,
  deploy,
  deployAtOnce,
  ENDPOINT,
  errorOf,
  inProduction,
  promote,
  promoteWithApproval,
  readyForProduction,
  register,
  type TestDeployer,
} from "../../../src/testing/index.ts";

const STAGING = `${ENDPOINT}_staging`;

const remove = (given: TestDeployer, deployment_id: string) =>
  act(given, "remove", { deployment_id, removal_reason: "nobody wants it" });

async function givenAtStaging(given: TestDeployer): Promise<string> {
  const version = await register(given, "run1");
  await promote(given, version, "staging");
  return (await deploy(given, version, "staging")).deployment_id;
}

test("a server at staging that hangs is taken away, its endpoint is closed, and it can be deployed again", async () => {
  const given = await createTestDeployer();
  const id = await givenAtStaging(given);
  given.server.hang(id);
  const answer = await remove(given, id);
  expect(answer.deployment_manifest).toMatchObject({ deployment_id: id, status: "draining" });
  expect(answer.deployment_manifest?.traffic).toMatchObject({ weights: [], generation: 2 });
  expect(await given.server.list()).toEqual([]);
  expect(await given.database.endpoints.get(STAGING)).toMatchObject({ weights: {}, observed_generation: 2 });
  expect((await given.database.deployments.get(id))?.drained_at).not.toBeNull();

  const version = (await given.database.deployments.get(id))?.model_version_id ?? "";
  const again = await deploy(given, version, "staging");
  expect(await given.server.list()).toEqual([again.deployment_id]);
});

test("a shadow is taken away, and production goes on answering beside it", async () => {
  const given = await createTestDeployer();
  const { deployment } = await inProduction(given, "run1");
  const version = await readyForProduction(given, "run2");
  const shadow = (await given.database.endpoints.get(ENDPOINT))?.mirror_deployment_id ?? "";
  await remove(given, shadow);
  expect(await given.database.endpoints.get(ENDPOINT)).toMatchObject({
    weights: { [deployment]: 100 },
    mirror_deployment_id: null,
  });
  expect(await given.server.list()).not.toContain(shadow);
  expect(await given.server.list()).toContain(deployment);
  expect((await given.database.modelVersions.get(version))?.stage).toBe("shadow");
});

test("what was rolled back goes before its time; when it was rolled back stays in the history", async () => {
  const given = await createTestDeployer();
  await inProduction(given, "run1");
  const version = await readyForProduction(given, "run2");
  await promoteWithApproval(given, version);
  const { deployment_id: bad } = await deployAtOnce(given, version);
  await act(given, "rollback", { current_deployment_id: bad, rollback_reason: "wrong scores" });
  const before = await given.database.deployments.get(bad);
  given.passTime({ minutes: 1 });
  expect(await given.server.list()).toContain(bad);
  await remove(given, bad);
  expect(await given.server.list()).not.toContain(bad);
  expect(await given.database.deployments.get(bad)).toMatchObject({
    status: "rolled_back",
    rolled_back_at: before?.rolled_back_at,
    rollback_reason: "wrong scores",
  });
});

test("neither production, nor its way back, nor a rollout under way is taken away", async () => {
  const given = await createTestDeployer();
  const { deployment: first } = await inProduction(given, "run1");
  const why = async (id: string) => (await errorOf(remove(given, id))).message;
  expect(await why(first)).toContain("has 100 % of the traffic");

  const version = await readyForProduction(given, "run2");
  await promoteWithApproval(given, version);
  const { deployment_id: candidate } = await deploy(given, version, "production");
  expect(await why(candidate)).toContain("is the candidate of rollout_");
  expect(await why(first)).toContain("is the baseline of rollout_");
  await act(given, "abort", { endpoint_name: ENDPOINT, rollout_reason: "later" });

  const next = await readyForProduction(given, "run3");
  await promoteWithApproval(given, next);
  await deployAtOnce(given, next);
  expect(await why(first)).toContain("is what a rollback of e2i_remission brings back");
  expect(await given.server.list()).toContain(first);
  expect(await why("deploy_nosuch")).toContain("does not exist");
});

test("a dry run shows what would go, and takes nothing away", async () => {
  const given = await createTestDeployer();
  const id = await givenAtStaging(given);
  const state = await given.graph.invoke(
    { deployment_action: "remove", deployment_id: id, removal_reason: "to see" },
    { context: { effects: "dry-run" }, configurable: { thread_id: "dry" } },
  );
  expect(state.deployment_plan?.differences.map(({ subject }) => subject)).toEqual([
    "traffic",
    "deployment",
    "server",
    "endpoint",
  ]);
  expect(await given.server.list()).toEqual([id]);
});

test("a removal that was cut off goes on where it stood, and asked for again it says that nothing is left", async () => {
  const given = await createTestDeployer();
  const id = await givenAtStaging(given);
  given.wire.failStep("drain_server", { times: 1 });
  expect((await errorOf(remove(given, id))).retryable).toBe(true);
  given.passTime({ minutes: 1 });
  expect((await remove(given, id)).deployment_manifest?.status).toBe("draining");
  expect(await given.server.list()).toEqual([]);
  expect((await remove(given, id)).warnings).toContainEqual(expect.stringContaining("it was stopped at"));
});
