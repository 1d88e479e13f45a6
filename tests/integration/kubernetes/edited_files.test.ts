import { afterEach, beforeEach, expect, test } from "vitest";
import { z } from "zod";
import { endpointObjectName, FILE_NAMES } from "../../../src/mlops/kubernetes/router/router_objects.ts";
import { MARKS } from "../../../src/mlops/kubernetes/server/object_names.ts";
import { toRouteFile } from "../../../src/mlops/envoy/route_config.ts";
import type { TrafficRouter } from "../../../src/agents/model_deployer/ports/traffic_router_port.ts";
import { pollUntil } from "../../../src/testing/poll.ts";
import {
  createTestDeployer,
  deploy,
  ENDPOINT,
  promote,
  register,
  type TestDeployer,
} from "../../../src/testing/index.ts";
import { prepareEnvoy } from "../envoy/fixture.ts";
import { clusterRouter, routerSettings } from "../../support/kubernetes/cluster_router.ts";
import { ClusterOfEnvoys } from "../../support/kubernetes/envoy_pods.ts";

const signal = AbortSignal.timeout(800_000);
const STAGING = `${ENDPOINT}_staging`;
const name = endpointObjectName(routerSettings.installation, STAGING);
const dataSchema = z.record(z.string(), z.string());

let envoys: ClusterOfEnvoys;
let router: TrafficRouter;
let given: TestDeployer;
let deployment: string;
let close: () => Promise<void>;

/** A version that serves staging behind two Envoys of a cluster, and nothing that differs. */
beforeEach(async () => {
  envoys = await ClusterOfEnvoys.start(await prepareEnvoy());
  const made = clusterRouter(envoys.cluster);
  router = made.router;
  close = () => made.client.close();
  given = await createTestDeployer({ parts: { router } });
  const version = await register(given, "run1");
  await promote(given, version, "staging");
  deployment = (await deploy(given, version, "staging")).deployment_id;
  await envoys.untilReady(name, 2);
  expect(await findings()).toEqual([]);
});
afterEach(async () => {
  await close();
  await envoys.close();
});

const findings = async () => (await given.capabilities.reconciler.reconcile({ signal })).findings;
const wanted = async () => (await given.database.endpoints.get(STAGING)) ?? expect.fail("no endpoint");
const configMap = () =>
  envoys.cluster.objects.list("configmaps").find(({ metadata }) => metadata.name === name) ??
  expect.fail("no ConfigMap");
const dataOf = () => dataSchema.parse(configMap()["data"]);

/** As `kubectl edit` does; its node hands the files to the pods in its own time. */
function edit(data: Record<string, string>): void {
  envoys.cluster.objects.patch("configmaps", name, { data });
  const annotations = { [MARKS.told]: configMap().metadata.resourceVersion };
  for (const pod of envoys.cluster.node.pods(name)) {
    envoys.cluster.objects.patch("pods", pod.metadata.name, { metadata: { annotations } });
  }
}

test("weights that somebody edits in the ConfigMap are found at both Envoys, and what is wanted is in force again", async () => {
  const before = await wanted();
  const nothing = {
    endpoint_name: STAGING,
    generation: before.generation,
    weights: {},
    mirror_deployment_id: null,
  };
  edit({ [FILE_NAMES.routes]: toRouteFile(nothing, 15) });
  await pollUntil(
    async () => Object.keys((await router.observe(STAGING, { signal }))?.weights ?? { one: 1 }).length === 0,
    { deadlineMs: 120_000, what: "the edited route in force" },
  );
  expect(await findings()).toMatchObject([
    {
      part: "router",
      subject: STAGING,
      found: `generation ${before.generation}: no traffic`,
      wanted: `generation ${before.generation}: 100 % to ${deployment}`,
      outcome: "repaired",
    },
  ]);
  expect(await findings()).toEqual([]);
  expect(await router.observe(STAGING, { signal })).toMatchObject({
    generation: before.generation + 1,
    weights: { [deployment]: 100 },
  });
  expect(dataOf()[FILE_NAMES.routes]).toContain(deployment);
});

test("files that are no files any more take nothing from Envoys that run, and the next one finds them mended", async () => {
  const { generation } = await wanted();
  edit({ [FILE_NAMES.routes]: "edited by hand: {", [FILE_NAMES.clusters]: "" });
  expect(await router.observe(STAGING, { signal })).toMatchObject({
    generation,
    weights: { [deployment]: 100 },
  });

  // A pod that comes now begins with them.
  const [gone] = envoys.cluster.node.pods(name);
  envoys.cluster.objects.remove("pods", gone?.metadata.name ?? "", undefined);
  envoys.cluster.node.look();
  await envoys.untilReady(name, 2);
  expect(await router.observe(STAGING, { signal })).toBeNull();
  expect(await findings()).toMatchObject([
    { part: "router", subject: STAGING, found: "no listener", outcome: "repaired" },
  ]);
  expect(await findings()).toEqual([]);
  expect(await router.observe(STAGING, { signal })).toMatchObject({ weights: { [deployment]: 100 } });
  expect(dataOf()[FILE_NAMES.routes]).toContain(deployment);
});
