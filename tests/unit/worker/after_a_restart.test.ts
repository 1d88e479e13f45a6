import { expect, test } from "vitest";
import { createTestDeployer, inProduction } from "../../../src/testing/index.ts";

test("a worker looks at what serves as soon as it begins, and not a round later", async () => {
  const deployer = await createTestDeployer();
  const { deployment } = await inProduction(deployer, "run1");
  deployer.server.crash(deployment);
  const ended = new AbortController();
  const found: string[] = [];
  await deployer.worker.run({
    signal: ended.signal,
    idleMs: 1,
    onTick: ({ reconciliation }) => {
      if (reconciliation === null) return;
      found.push(...reconciliation.findings.map(({ subject, outcome }) => `${subject} ${outcome}`));
      ended.abort();
    },
  });
  expect(found).toEqual([`${deployment} repaired`]);
});
