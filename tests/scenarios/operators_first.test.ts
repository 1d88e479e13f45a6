import { expect, test } from "vitest";
import {
  createTestDeployer,
  deploy,
  ENDPOINT,
  inProduction,
  promote,
  register,
} from "../../src/testing/index.ts";

const signal = new AbortController().signal;

test("a repair that waits for a server keeps nobody out: whoever asks for something has the endpoint at once", async () => {
  const given = await createTestDeployer();
  const { deployment } = await inProduction(given, "run1");
  await given.worker.tick();
  const version = await register(given, "run2");
  await promote(given, version, "staging");
  await promote(given, version, "shadow");
  given.server.crash(deployment);
  const slow = given.wire.hold("server.start");
  const repair = given.capabilities.reconciler.reconcile({ signal });
  await slow.reached;
  const { in_use } = await given.capabilities.reconciler.reconcile({ signal });
  expect(in_use).toEqual([`${ENDPOINT}: it is being repaired`]);

  const serving = given.server.start(
    {
      deployment_id: deployment,
      bento_tag: (await bentoOf(given, deployment)) ?? "",
      resources,
      served_before: true,
    },
    { signal },
  );
  await serving;
  const shadow = await deploy(given, version, "shadow");
  expect(await given.database.endpoints.get(ENDPOINT)).toMatchObject({
    weights: { [deployment]: 100 },
    mirror_deployment_id: shadow.deployment_id,
  });

  slow.release();
  await repair;
  expect((await given.capabilities.reconciler.reconcile({ signal })).findings).toEqual([]);
  expect((await given.server.list()).sort()).toEqual([deployment, shadow.deployment_id].sort());
});

const resources = {
  replicas: 1,
  cpu_limit: "1",
  memory_limit: "1Gi",
  autoscaling: { min: 1, max: 1, target_cpu: 70 },
};

const bentoOf = async ({ database }: Awaited<ReturnType<typeof createTestDeployer>>, id: string) =>
  (await database.deployments.get(id))?.bento_tag;
