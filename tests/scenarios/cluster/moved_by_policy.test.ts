import { expect, onTestFinished, test } from "vitest";
import {
  act,
  deploy,
  ENDPOINT,
  inProduction,
  promoteWithApproval,
  readyForProduction,
} from "../../../src/testing/index.ts";
import { openCluster } from "../../support/kubernetes/cluster_with_servers.ts";
import { givenEngines } from "../../support/given/given_engines.ts";

const signal = AbortSignal.timeout(600_000);

test("a policy switched from this machine to a cluster makes the next candidate a Deployment; its rollback is here, and ends it there", async () => {
  const here = await openCluster("any");
  onTestFinished(() => here.close());
  const { given, local, serveOn } = await givenEngines(undefined, { cluster: here.server });
  const { deployment: old } = await inProduction(given, "run1");
  await serveOn({ production: "kubernetes" });
  expect(here.cluster.objects.list("deployments")).toEqual([]);

  const next = await readyForProduction(given, "run2");
  await promoteWithApproval(given, next);
  const rollout = {
    steps: [
      { weight: 10, bake_seconds: 0 },
      { weight: 100, bake_seconds: 0 },
    ],
  };
  const { deployment_id: candidate, engine } = await deploy(given, next, "production", { rollout });
  expect(engine).toBe("kubernetes");
  const marked = here.cluster.objects
    .list("deployments")
    .map(({ metadata }) => metadata.annotations?.["model-deployer/deployment-id"]);
  expect(marked).toEqual([candidate]);
  expect(await here.server.list()).toEqual([candidate]);

  // The router was told both addresses: a process of this machine, and the cluster's Service.
  const there = await here.server.observe(candidate, { signal });
  const inMemory = await local.observe(old, { signal });
  expect(there).toMatchObject({ state: "ready", bento_tag: "e2i_remission:v2" });
  expect(inMemory).toMatchObject({ state: "ready", bento_tag: "e2i_remission:v1" });
  expect((await given.database.endpoints.get(ENDPOINT))?.weights).toEqual({ [old]: 90, [candidate]: 10 });

  await act(given, "rollback", { endpoint_name: ENDPOINT, rollback_reason: "callers get nonsense" });
  expect((await given.router.observe(ENDPOINT, { signal }))?.weights).toEqual({ [old]: 100 });
  given.passTime({ hours: 2 });
  await given.worker.tick();
  expect(here.cluster.objects.list("deployments")).toEqual([]);
  expect(await local.list()).toEqual([old]);
  const report = await given.capabilities.reconciler.reconcile({ signal });
  expect(report).toMatchObject({ findings: [], unchecked: [] });
});
