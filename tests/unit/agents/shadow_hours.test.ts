import { expect, test } from "vitest";
import {
  createTestDeployer,
  deploy,
  ENDPOINT,
  errorOf,
  inProduction,
  promote,
  register,
} from "../../../src/testing/index.ts";

test("a shadow whose router was away for most of the day is refused, and what was seen of it counts", async () => {
  const deployer = await createTestDeployer();
  await inProduction(deployer, "run1");
  const version = await register(deployer, "run2");
  await promote(deployer, version, "staging");
  await promote(deployer, version, "shadow");
  const { deployment_id } = await deploy(deployer, version, "shadow");
  deployer.router.sendTraffic(ENDPOINT, 10);
  await deployer.worker.tick();
  deployer.router.kill(ENDPOINT);
  deployer.passTime({ hours: 23 });
  await deployer.worker.tick();
  await deployer.capabilities.reconciler.reconcile({ signal: AbortSignal.timeout(120_000) });
  deployer.router.sendTraffic(ENDPOINT, 990);
  await deployer.worker.tick();
  deployer.passTime({ hours: 1 });
  await deployer.worker.tick();
  const evidence = await deployer.database.shadowEvidence.read(deployment_id);
  expect(evidence?.requests).toBe(1000);
  expect(evidence?.hours).toBeCloseTo(1, 1);
  const error = await errorOf(promote(deployer, version, "production"));
  expect(error.message).toContain("It has been in shadow for 1.00 h and needs 24.00 h");
});
