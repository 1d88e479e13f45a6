import { expect, test } from "vitest";
import {
  createTestDeployer,
  deploy,
  inProduction,
  promoteWithApproval,
  readyForProduction,
  rollbackState,
  type TestDeployer,
} from "../../../src/testing/index.ts";

const dryRun = { configurable: { thread_id: "look-first" }, context: { effects: "dry-run" } };

/** A version that may go out over the one that serves, and what a look at its deployment says. */
async function planNext(deployer: TestDeployer, run: string) {
  const version = await readyForProduction(deployer, run);
  await promoteWithApproval(deployer, version);
  const request = { deployment_action: "deploy", model_version_id: version, target_stage: "production" };
  const { deployment_plan: plan } = await deployer.graph.invoke(request, dryRun);
  return { version, plan };
}

test("a rollback makes the model family's next rollout more careful, and its plan says by how much", async () => {
  const deployer = await createTestDeployer();
  await inProduction(deployer, "run1");
  const before = await planNext(deployer, "run2");
  expect(before.plan?.notes.join()).not.toContain("More careful than asked for");
  const bad = await deploy(deployer, before.version, "production");
  expect(bad.rollout?.steps[0]).toEqual({ weight: 10, bake_seconds: 60 });
  await deployer.agent.execute(rollbackState({ current_deployment_id: bad.deployment_id }));
  await deployer.worker.tick();
  deployer.passTime({ hours: 24 });

  const after = await planNext(deployer, "run3");
  const said = after.plan?.notes.join("\n");
  expect(after.plan?.summary).not.toContain("careful");
  expect(said).toContain("was rolled back 1 time and completed 0 rollouts, 0 rollbacks here within the hour");
  expect(said).toContain("the first step is 5 % instead of 10 %, and each bake is 2 times as long");
  const careful = await deploy(deployer, after.version, "production");
  expect(careful.rollout?.steps[0]).toEqual({ weight: 5, bake_seconds: 120 });
  expect(careful.traffic.weights).toContainEqual({ deployment_id: careful.deployment_id, weight: 5 });
});
