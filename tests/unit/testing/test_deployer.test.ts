import { expect, test } from "vitest";
import {
  InvalidPromotionPathError,
  ServiceUnavailableError,
} from "../../../src/agents/model_deployer/errors.ts";
import {
  act,
  createTestDeployer,
  deploy,
  deployAtOnce,
  deployState,
  ENDPOINT,
  errorOf,
  inProduction,
  InMemoryTrafficRouter,
  promoteState,
  promoteWithApproval,
  readyForProduction,
  recordProgress,
  register,
  registerState,
  rollbackState,
  seedVersion,
} from "../../../src/testing/index.ts";

test("a seeded version is where the test wants it, and can be deployed from there", async () => {
  const deployer = await createTestDeployer();
  const seeded = await seedVersion(deployer, { model_version_id: "mv_123", stage: "staging" });
  expect(seeded).toMatchObject({ stage: "staging", stage_revision: 1 });
  const skip = promoteState({ model_version_id: "mv_123", target_stage: "production" });
  await expect(deployer.agent.execute(skip)).rejects.toThrow(InvalidPromotionPathError);
  const manifest = await deploy(deployer, "mv_123", "staging");
  expect(manifest).toMatchObject({ status: "active", model_version_id: "mv_123" });
  expect(deployer.server.started).toEqual([manifest.deployment_id]);
});

test("what fails at a step is undone or carried on, as with the real parts", async () => {
  const deployer = await createTestDeployer();
  await seedVersion(deployer, { model_version_id: "mv_1", stage: "staging" });
  deployer.wire.failStep("start_server", { times: 1 });
  const error = await errorOf(deployer.agent.execute(deployState()));
  expect(error).toBeInstanceOf(ServiceUnavailableError);
  const { resumed } = await deployer.worker.tick();
  expect(resumed).toHaveLength(1);
  expect(await deployer.database.deployments.listForVersion("mv_1")).toMatchObject([{ status: "active" }]);
});

test("every call is recorded in its order, reads of the database included", async () => {
  const deployer = await createTestDeployer();
  await register(deployer, "run1");
  expect(deployer.wire.calls[0]).toBe("journal.claim");
  expect(deployer.wire.calls).toContain("experiments.get");
  expect(deployer.wire.calls).toContain("registry.registerVersion");
});

test("progress is recorded as it is told", async () => {
  const events = await recordProgress(await createTestDeployer(), registerState());
  expect(events.map(({ event }) => event)).toEqual(expect.arrayContaining(["planned", "step_done", "done"]));
});

test("an adapter of one's own takes the place of the one in memory", async () => {
  const router = new InMemoryTrafficRouter();
  const deployer = await createTestDeployer({ parts: { router } });
  await seedVersion(deployer, { model_version_id: "mv_1", stage: "staging" });
  await deploy(deployer, "mv_1", "staging");
  expect(router.applied).toHaveLength(1);
  expect(deployer.router.applied).toEqual([]);
});

test("a version that replaces another is rolled back to it, and time drains what is left", async () => {
  const deployer = await createTestDeployer();
  const first = await inProduction(deployer, "run1");
  const second = await readyForProduction(deployer, "run2");
  await promoteWithApproval(deployer, second);
  const { deployment_id } = await deployAtOnce(deployer, second);
  const result = await deployer.agent.execute(rollbackState({ current_deployment_id: deployment_id }));
  expect(result.active_deployment_id).toBe(first.deployment);
  expect(await deployer.database.endpoints.get(ENDPOINT)).toMatchObject({
    weights: { [first.deployment]: 100 },
  });
  expect((await deployer.worker.tick()).drained).not.toContain(deployment_id);
  deployer.passTime({ hours: 2 });
  expect((await deployer.worker.tick()).drained).toContain(deployment_id);
});

test("what ends well is no error", async () => {
  await expect(errorOf(Promise.resolve(1))).rejects.toMatchObject({ code: "unexpected_outcome" });
  const deployer = await createTestDeployer();
  await expect(act(deployer, "explode", {})).rejects.toMatchObject({ code: "invalid_deployment_action" });
});
