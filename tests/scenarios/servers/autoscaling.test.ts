import { expect, test } from "vitest";
import { createTestDeployer, ENDPOINT, inProduction, type TestDeployer } from "../../../src/testing/index.ts";

const signal = new AbortController().signal;

/** All servers share a load, in percent of the limit of one, while the worker looks every 15 s. */
async function lookFor(given: TestDeployer, deployment: string, load: number, looks: number) {
  const seen: number[] = [];
  for (let look = 0; look < looks; look += 1) {
    given.passTime({ seconds: 15 });
    const { serverUsage } = given.parts;
    const usage = (await serverUsage?.usage(deployment, { signal })) ?? [];
    for (const { replica, cpu_seconds } of usage) {
      const name = replica === 1 ? deployment : `${deployment}.replica-${replica}`;
      given.server.use(name, {
        memory_bytes: 1,
        cpu_seconds: cpu_seconds + (15 * 2 * load) / 100 / usage.length,
      });
    }
    await given.capabilities.reconciler.reconcile({ signal });
    seen.push(given.router.serversOf(ENDPOINT, deployment).length);
  }
  return seen;
}

test("servers follow the load by the rule of Kubernetes, with its windows, and no generation is spent", async () => {
  const given = await createTestDeployer();
  const { deployment } = await inProduction(given, "run1");
  await given.worker.tick();
  const before = await given.database.endpoints.get(ENDPOINT);
  const up = await lookFor(given, deployment, 280, 3);
  expect(up.at(-1)).toBe(4);
  expect(await given.database.deployments.get(deployment)).toMatchObject({ replicas: 4 });
  const steady = await lookFor(given, deployment, 280, 4);
  expect(new Set(steady)).toEqual(new Set([4]));
  const down = await lookFor(given, deployment, 40, 25);
  expect(down.slice(0, 18).every((servers) => servers === 4)).toBe(true);
  expect(down.at(-1)).toBe(1);
  expect(await given.database.deployments.get(deployment)).toMatchObject({ replicas: 1 });
  expect(await given.database.endpoints.get(ENDPOINT)).toEqual(before);
});

test("servers that cannot be started leave the deployment as it is, and are put off", async () => {
  const given = await createTestDeployer();
  const { deployment, manifest } = await inProduction(given, "run1");
  await given.worker.tick();
  given.server.breakModel(manifest.bento_tag, "MemoryError");
  expect(new Set(await lookFor(given, deployment, 280, 3))).toEqual(new Set([1]));
  expect(await given.database.deployments.get(deployment)).toMatchObject({ replicas: 1, status: "active" });
});
