import { expect, test } from "vitest";
import { createTestDeployer, inProduction } from "../../../src/testing/index.ts";

const options = () => ({ signal: AbortSignal.timeout(120_000) });

test("a died server is served again by the tick after a minute, and by none before its time", async () => {
  const deployer = await createTestDeployer();
  const { deployment } = await inProduction(deployer, "run1");
  await deployer.worker.tick();
  deployer.server.crash(deployment);
  expect((await deployer.worker.tick()).reconciliation).toBeNull();
  deployer.passTime({ minutes: 1 });
  const { reconciliation } = await deployer.worker.tick();
  expect(reconciliation?.findings).toMatchObject([{ subject: deployment, outcome: "repaired" }]);
  expect((await deployer.server.observe(deployment, options())).state).toBe("ready");
});

test("one that cannot be started is tried again when its time has come, whatever the machine's clock says", async () => {
  const deployer = await createTestDeployer();
  const { deployment } = await inProduction(deployer, "run1");
  deployer.server.crash(deployment);
  deployer.wire.failStep("start_server", { times: 1 });
  deployer.passTime({ minutes: 1 });
  expect((await deployer.worker.tick()).reconciliation?.findings).toMatchObject([{ outcome: "left" }]);
  expect((await deployer.server.observe(deployment, options())).state).not.toBe("ready");
  deployer.passTime({ minutes: 10 });
  await deployer.worker.tick();
  expect((await deployer.server.observe(deployment, options())).state).toBe("ready");
});

test("an operation that failed is left alone for a while of the kit's clock, and then carried on", async () => {
  const deployer = await createTestDeployer();
  await inProduction(deployer, "run1");
  deployer.wire.failStep("apply_route", { times: 2 });
  await expect(inProduction(deployer, "run2")).rejects.toThrow();
  expect((await deployer.worker.tick()).resumed).toEqual([]);
  expect((await deployer.worker.tick()).resumed).toEqual([]);
  deployer.passTime({ minutes: 1 });
  expect((await deployer.worker.tick()).resumed).toMatchObject([{ outcome: "finished" }]);
});
