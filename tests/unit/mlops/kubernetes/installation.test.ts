import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  gatewayReadings,
  gatewayRights,
  neededRights,
} from "../../../../src/mlops/kubernetes/installation/cluster_rights.ts";
import { installationManifests } from "../../../../src/mlops/kubernetes/installation/installation_manifests.ts";
import type { RouterChoice } from "../../../../src/wiring/settings/engine_settings.ts";
import { kubernetesLooks } from "../../../../src/wiring/engines/kubernetes_diagnosis.ts";
import { clusterEnvoys } from "../../../support/kubernetes/cluster_router.ts";
import { type ClusterWithServers, openCluster } from "../../../support/kubernetes/cluster_with_servers.ts";
import { openClusterWithGateway } from "../../../support/kubernetes/cluster_with_gateway.ts";
import { GATEWAY, StandInGateway } from "../../../support/kubernetes/stand_in_gateway.ts";
import { StandInRegistry } from "../../../support/kubernetes/stand_in_registry.ts";

const signal = AbortSignal.timeout(300_000);
const tag = "e2i_classifier:v1";
const resources = {
  replicas: 1,
  cpu_limit: "1",
  memory_limit: "1Gi",
  autoscaling: { min: 1, max: 2, target_cpu: 70 },
};

const metricsAdvice =
  "install metrics-server; until then servers keep the number of pods that they began with";

let here: ClusterWithServers;
let registry: StandInRegistry;
let folder: string;
beforeEach(async () => {
  here = await openCluster([tag]);
  registry = await StandInRegistry.start();
  folder = await mkdtemp(join(tmpdir(), "installation-"));
});
afterEach(async () => {
  await here.close();
  await registry.close();
  await rm(folder, { recursive: true, force: true });
});

const gateway: RouterChoice = {
  kind: "gateway",
  name: GATEWAY.name,
  namespace: GATEWAY.namespace,
  listener: null,
  podsNamespace: "envoy-gateway-system",
  address: "https://{endpoint}.models.example.org",
  image: "registry.example.org/envoy:v1.40.0",
};
const ownRouters: RouterChoice = {
  kind: "cluster",
  image: "registry.example.org/envoy:v1.40.0",
  replicas: 2,
};

async function looks(router: RouterChoice = ownRouters) {
  const base = registry.seed("library/python", {
    architecture: "amd64",
    os: "linux",
    config: { Env: ["PYTHON_VERSION=3.13.2"] },
    rootfs: { diff_ids: [] },
  });
  return kubernetesLooks({
    kind: "kubernetes",
    kubeconfig: await here.cluster.writeKubeconfig(join(folder, "config")),
    context: null,
    namespace: "models",
    installation: "test",
    images: { kind: "made", repository: `${registry.host}/team/models`, base },
    router,
    pullSecret: null,
    controlPlane: null,
    dockerConfig: folder,
  });
}

const found = async (part: string, router: RouterChoice = ownRouters) =>
  (await looks(router))[part]?.(signal);

describe("what doctor finds", () => {
  test("a cluster with all that is needed", async () => {
    for (const part of ["cluster", "rights", "autoscaling", "base image", "registry"]) {
      expect(await found(part), part).toMatchObject({ problem: null });
    }
    expect(await found("cluster")).toMatchObject({ found: `v1.36.2 at ${here.cluster.address}` });
    expect(await found("base image")).toMatchObject({ found: "Python 3.13 on amd64" });
  });

  test("an old version, missing rights and no metrics, each with its way out", async () => {
    here.cluster.version = "v1.20.2";
    here.cluster.hasMetrics = false;
    here.cluster.denied.add("create deployments").add("get pods/log");
    expect(await found("cluster")).toMatchObject({ problem: "use Kubernetes 1.25 or newer" });
    expect(await found("autoscaling")).toMatchObject({ problem: metricsAdvice });
    expect((await found("rights"))?.problem).toMatch(
      /^missing: create deployments, get pods\/log; `model-deployer manifests/,
    );
  });

  test("a gateway by what its class lists, and what it lacks by its name", async () => {
    expect(await found("gateway")).toBeUndefined();
    expect(await found("gateway", gateway)).toMatchObject({ found: "no Gateway infra/shared" });
    expect((await found("gateway", gateway))?.problem).toMatch(/^make it/);
    const shared = new StandInGateway(here.cluster, null);
    expect((await found("gateway", gateway))?.problem).toMatch(/does not say what it supports/);
    shared.list(["HTTPRouteRequestTimeout"]);
    expect((await found("gateway", gateway))?.problem).toBe(
      "HTTPRouteRequestMirror is not listed: shadows are refused",
    );
    shared.list(["HTTPRouteRequestMirror", "HTTPRouteRequestTimeout"]);
    expect(await found("gateway", gateway)).toMatchObject({
      found: "Gateway infra/shared of class stand-in by example.org/stand-in, 2 features",
      problem: null,
    });
    here.cluster.denied.add("patch httproutes");
    expect((await found("rights", gateway))?.problem).toMatch(/^missing: patch httproutes;/);
    here.cluster.objects.setStatus("gateways", GATEWAY.name, { conditions: [] });
    expect(await found("gateway", gateway)).toMatchObject({ problem: "no controller has programmed it" });
    here.cluster.hasGatewayApi = false;
    expect((await found("gateway", gateway))?.problem).toMatch(/with the definitions of the Gateway API/);
  });
});

test("what a gateway's router asks for is what the rights grant, and nothing more", async () => {
  const cluster = await openClusterWithGateway();
  const route = { endpoint_name: "churn", generation: 1, weights: { a: 100 }, mirror_deployment_id: null };
  await cluster.router.open("churn", { signal });
  const [a, b] = [await cluster.startServer("a", 200), await cluster.startServer("b", 200)];
  await cluster.router.apply({ ...route, mirror_deployment_id: "b" }, [a, b], { signal });
  await cluster.router.observe("churn", { signal });
  await cluster.router.figures("churn", { signal });
  await cluster.router.close("churn", { signal });
  const used = new Set(cluster.cluster.verbs.filter((verb) => /httproutes|gateway/.test(verb)));
  await cluster.close();
  const granted = [...gatewayRights, ...Object.values(gatewayReadings)];
  expect([...used].sort()).toEqual(
    granted.flatMap(({ verbs, resource }) => verbs.map((verb) => `${verb} ${resource}`)).sort(),
  );
});

test("what a server's and a router's whole life ask for is what the rights grant, and nothing more", async () => {
  const input = { deployment_id: "dep_one", bento_tag: tag, resources };
  await here.server.start(input, { signal });
  await here.server.observe("dep_one", { signal });
  await here.server.start({ ...input, beside: true }, { signal });
  await here.server.handOver("dep_one", { deployment_id: "dep_two", bento_tag: tag }, { signal });
  const pod = here.cluster.objects.list("pods").at(-1);
  if (pod !== undefined) here.cluster.node.kill([pod]);
  await here.server.start({ ...input, deployment_id: "dep_two" }, { signal });
  await here.server.stop("dep_one", { signal });
  await here.server.stop("dep_two", { signal });
  const { fleet, client } = clusterEnvoys(here.cluster, { image: here.imageOf(tag) });
  await fleet.open({ endpoint_name: "churn", bootstrap: "{}", clusters: "{}", routes: "{}" }, signal);
  const files = await fleet.files("churn", signal);
  if (files !== null) await fleet.write("churn", files, { routes: "{}" }, signal);
  await fleet.close("churn", signal);
  await client.close();
  const granted = neededRights.flatMap(({ resource, verbs }) => verbs.map((verb) => `${verb} ${resource}`));
  const used = new Set(here.cluster.verbs);
  expect([...used].filter((verb) => !granted.includes(verb))).toEqual([]);
  expect(granted.filter((verb) => !used.has(verb))).toEqual([
    // After a Service, a policy, a budget or an autoscaler of the same name that a former Deployment has left.
    "delete services",
    "delete networkpolicies",
    "delete poddisruptionbudgets",
    "delete horizontalpodautoscalers",
    "get pods/log",
  ]);
});

test("an installation grants these rights in its namespace, and marks its worker as a router", () => {
  const objects = installationManifests({
    namespace: "models",
    installation: "team-a",
    image: "registry.example.org/model-deployer@sha256:1",
    environment: { MODEL_DEPLOYER_IMAGE_REPOSITORY: "registry.example.org/team/models" },
    secret: "model-deployer",
    registrySecret: "pull",
    gateway: null,
    serviceMonitor: false,
  });
  const kinds = ["ServiceAccount", "Role", "RoleBinding", "Service", "StatefulSet"];
  expect(objects).toMatchObject(
    kinds.map((kind) => ({ kind, metadata: { name: "model-deployer-team-a", namespace: "models" } })),
  );
  const worker = {
    spec: {
      replicas: 1,
      template: {
        metadata: { labels: { "model-deployer/role": "router", "model-deployer/installation": "team-a" } },
        spec: { serviceAccountName: "model-deployer-team-a", securityContext: { runAsNonRoot: true } },
      },
    },
  };
  expect(objects.at(-1)).toMatchObject(worker);
  expect(JSON.stringify(objects)).toContain(
    '"MODEL_DEPLOYER_ENDPOINT_HOST","value":"model-deployer-team-a.models.svc"',
  );
  expect(JSON.stringify(objects)).not.toContain("ClusterRole");
});

test("an installation behind a gateway may read that Gateway and the classes, and no more of other namespaces", () => {
  const objects = installationManifests({
    namespace: "models",
    installation: "team-a",
    image: "registry.example.org/model-deployer@sha256:1",
    environment: {},
    secret: "model-deployer",
    registrySecret: null,
    gateway: { name: "shared", namespace: "infra" },
    serviceMonitor: false,
  });
  const name = "models-model-deployer-team-a";
  const rules = (resources: string) => [
    { apiGroups: ["gateway.networking.k8s.io"], resources: [resources], verbs: ["get"] },
  ];
  expect(objects.slice(3, 7)).toMatchObject([
    { kind: "Role", metadata: { name, namespace: "infra" }, rules: [{ resourceNames: ["shared"] }] },
    { kind: "RoleBinding", metadata: { name, namespace: "infra" } },
    { kind: "ClusterRole", metadata: { name }, rules: rules("gatewayclasses") },
    { kind: "ClusterRoleBinding", metadata: { name } },
  ]);
  expect(JSON.stringify(objects[1])).toContain('["httproutes"]');
});
