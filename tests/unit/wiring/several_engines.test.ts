import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { EngineKind } from "../../../src/agents/model_deployer/domain/servers/engines.ts";
import { EnvoyRouter } from "../../../src/mlops/envoy/envoy_router.ts";
import { createEngine } from "../../../src/wiring/engines/create_engine.ts";
import { readConfiguration } from "../../../src/wiring/settings/configuration.ts";
import { errorOf } from "../../../src/testing/index.ts";
import { aDeployment, anEndpoint } from "../../support/given/given_facts.ts";
import { openCluster } from "../../support/kubernetes/cluster_with_servers.ts";

const options = { signal: AbortSignal.timeout(600_000) };
const tools = {
  ...{ bentoml: "/nowhere/bentoml", uv: "/nowhere/uv", envoy: "/nowhere/envoy" },
  ...{ python: "/nowhere/python", mlflow: "/nowhere/mlflow", redisServer: "/nowhere/redis-server" },
};
const engineOf = (id: string): EngineKind => (id.startsWith("there") ? "kubernetes" : "local");

/** A stand-in cluster, a home, and the parts that these settings make over both. */
async function givenEngine(settings: Record<string, string>) {
  const here = await openCluster("any");
  const home = await mkdtemp(join(tmpdir(), "several-engines-"));
  onTestFinished(async () => {
    await here.close();
    await rm(home, { recursive: true, force: true });
  });
  const kubeconfig = join(home, "kubeconfig");
  const named = <T>(kind: string, value: T) => [{ name: "one", [kind]: value }];
  const { address, token, namespace } = here.cluster;
  await writeFile(
    kubeconfig,
    JSON.stringify({
      clusters: named("cluster", { server: address }),
      users: named("user", { token }),
      contexts: named("context", { cluster: "one", user: "one" }),
      "current-context": "one",
    }),
  );
  const configuration = readConfiguration({
    MODEL_DEPLOYER_HOME: home,
    KUBECONFIG: kubeconfig,
    MODEL_DEPLOYER_KUBERNETES_NAMESPACE: namespace,
    MODEL_DEPLOYER_IMAGE_REPOSITORY: "registry.example.org/team/models",
    MODEL_DEPLOYER_IMAGE_BASE: `registry.example.org/python@sha256:${"a".repeat(64)}`,
    ...settings,
  });
  const database = {
    deployments: {
      get: async (deployment_id: string) =>
        aDeployment(1, { deployment_id, engine: engineOf(deployment_id) }),
    },
    endpoints: {
      get: async (endpoint_name: string) => anEndpoint({ endpoint_name, engine: engineOf(endpoint_name) }),
    },
  };
  const ingressOf = () => Promise.reject(new TypeError("nobody asks for a policy here"));
  const wired = Object.assign(configuration, { makeRoom: () => false, ingressOf, database });
  const parts = await createEngine(wired, { mlflowUrl: "http://127.0.0.1:1", mlflowAuth: null }, tools, {});
  const asked = () => here.cluster.calls.length;
  return { parts, asked };
}

test("with this machine alone no cluster is asked, and one router has every endpoint", async () => {
  const { parts, asked } = await givenEngine({});
  expect(await parts.server.observe("here", options)).toEqual({ state: "absent" });
  expect(parts.router).toBeInstanceOf(EnvoyRouter);
  expect(parts.ingress).toBe(parts.router);
  const refused = await errorOf(parts.server.observe("there", options));
  expect(refused).toMatchObject({ code: "engine_refused" });
  expect(asked()).toBe(0);
});

test("with both, each deployment and each endpoint is asked for where it is", async () => {
  const { parts, asked } = await givenEngine({ MODEL_DEPLOYER_ENGINE: "local,kubernetes" });
  expect(await parts.server.observe("here", options)).toEqual({ state: "absent" });
  expect(await parts.router.observe("here", options)).toBeNull();
  expect(asked()).toBe(0);
  expect(await parts.server.observe("there", options)).toEqual({ state: "absent" });
  expect(asked()).toBeGreaterThan(0);
  const before = asked();
  expect(await parts.router.observe("there", options)).toBeNull();
  expect(asked()).toBeGreaterThan(before);
  expect(await parts.ingress?.guards("here")).toBe(true);
  expect(await parts.ingress?.guards("there")).toBe(false);
  expect(await parts.server.list()).toEqual([]);
});

test("with both and the worker's router, one router has every endpoint", async () => {
  const { parts } = await givenEngine({
    MODEL_DEPLOYER_ENGINE: "local,kubernetes",
    MODEL_DEPLOYER_ROUTER: "worker",
  });
  expect(parts.router).toBeInstanceOf(EnvoyRouter);
  expect(await parts.ingress?.guards("there")).toBe(true);
});
