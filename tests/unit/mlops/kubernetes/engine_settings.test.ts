import { expect, test } from "vitest";
import { ConfigurationError } from "../../../../src/agents/model_deployer/errors.ts";
import { installedEngines } from "../../../../src/wiring/engines/installed_engines.ts";
import { readConfiguration } from "../../../../src/wiring/settings/configuration.ts";

const kubernetes = {
  MODEL_DEPLOYER_ENGINE: "kubernetes",
  MODEL_DEPLOYER_KUBERNETES_NAMESPACE: "models",
  MODEL_DEPLOYER_IMAGE_REPOSITORY: "registry.example.org:5000/team/models",
  MODEL_DEPLOYER_IMAGE_BASE: `registry.example.org/python@sha256:${"a".repeat(64)}`,
};

test("servers run on this machine unless the environment names another engine", () => {
  expect(readConfiguration({}).engine).toEqual({ kind: "local" });
  expect(
    readConfiguration({ ...kubernetes, KUBECONFIG: "/etc/kubeconfig", DOCKER_CONFIG: "/etc/docker" }).engine,
  ).toEqual({
    kind: "kubernetes",
    kubeconfig: "/etc/kubeconfig",
    context: null,
    namespace: "models",
    installation: "default",
    images: {
      kind: "made",
      repository: "registry.example.org:5000/team/models",
      base: kubernetes.MODEL_DEPLOYER_IMAGE_BASE,
    },
    router: { kind: "cluster", image: "docker.io/envoyproxy/envoy:v1.40.0", replicas: 2 },
    pullSecret: null,
    controlPlane: null,
    dockerConfig: "/etc/docker",
  });
});

test("several engines are named with the usual one first, and each has the settings that it needs", () => {
  const both = readConfiguration({ ...kubernetes, MODEL_DEPLOYER_ENGINE: "local, kubernetes" });
  expect(both.engine).toEqual({ kind: "local" });
  expect(both.otherEngines).toMatchObject([{ kind: "kubernetes", namespace: "models" }]);
  expect(installedEngines(both)).toEqual({
    usual: "local",
    routers: { local: "worker", kubernetes: "cluster" },
  });
  expect(readConfiguration({}).otherEngines).toEqual([]);
  const missing = () => readConfiguration({ MODEL_DEPLOYER_ENGINE: "local,kubernetes,bentocloud" });
  for (const name of [...Object.keys(kubernetes).slice(1), "BENTO_CLOUD_API_KEY"]) {
    expect(missing).toThrow(`${name}: MODEL_DEPLOYER_ENGINE=local,kubernetes,bentocloud needs`);
  }
});

test("a pod's own service account is used where no kubeconfig is named", () => {
  const inPod = readConfiguration({ ...kubernetes, KUBERNETES_SERVICE_HOST: "10.96.0.1" });
  expect(inPod.engine).toMatchObject({ kubeconfig: null });
});

test("whoever makes images needs neither a repository nor a base", () => {
  const { MODEL_DEPLOYER_ENGINE, MODEL_DEPLOYER_KUBERNETES_NAMESPACE } = kubernetes;
  const pattern = "registry.example.org/team/{name}:{version}";
  const own = readConfiguration({
    MODEL_DEPLOYER_ENGINE,
    MODEL_DEPLOYER_KUBERNETES_NAMESPACE,
    MODEL_DEPLOYER_OWN_IMAGES: pattern,
  });
  expect(own.engine).toMatchObject({ images: { kind: "own", pattern } });
});

test("each setting that Kubernetes needs and that is missing is named, all at once", () => {
  const read = () => readConfiguration({ MODEL_DEPLOYER_ENGINE: "kubernetes" });
  expect(read).toThrow(ConfigurationError);
  for (const name of Object.keys(kubernetes).slice(1)) {
    expect(read).toThrow(`${name}: MODEL_DEPLOYER_ENGINE=kubernetes needs`);
  }
});

test.each([
  ["MODEL_DEPLOYER_ENGINE", "k8s"],
  ["MODEL_DEPLOYER_ENGINE", "local,k8s"],
  ["MODEL_DEPLOYER_ENGINE", "local,local"],
  ["MODEL_DEPLOYER_ENGINE", "local,"],
  ["MODEL_DEPLOYER_ENGINE", "local kubernetes"],
  ["MODEL_DEPLOYER_KUBERNETES_NAMESPACE", "Models"],
  ["MODEL_DEPLOYER_IMAGE_REPOSITORY", "registry.example.org"],
  ["MODEL_DEPLOYER_IMAGE_REPOSITORY", "registry.example.org/models:latest"],
  ["MODEL_DEPLOYER_IMAGE_BASE", "registry.example.org/python:3.13"],
  ["MODEL_DEPLOYER_KUBERNETES_INSTALLATION", "Team_A"],
  ["MODEL_DEPLOYER_KUBERNETES_CONTROL_PLANE", "10.0.0.1"],
  ["MODEL_DEPLOYER_OWN_IMAGES", "registry.example.org/team/model:v1"],
])("%s=%s is refused with its value and the way out", (name, value) => {
  const read = () => readConfiguration({ ...kubernetes, [name]: value });
  expect(read).toThrow(ConfigurationError);
  expect(read).toThrow(`not "${value}"; leave it out`);
});

test("a gateway is asked for by its name and the address of its endpoints, which are named where they are missing", () => {
  const asked = { ...kubernetes, MODEL_DEPLOYER_ROUTER: "gateway" };
  expect(() => readConfiguration(asked)).toThrow(
    /MODEL_DEPLOYER_GATEWAY_NAME: MODEL_DEPLOYER_ROUTER=gateway needs/,
  );
  expect(() => readConfiguration(asked)).toThrow(
    /MODEL_DEPLOYER_GATEWAY_ADDRESS: MODEL_DEPLOYER_ROUTER=gateway needs/,
  );
  const named = {
    ...asked,
    MODEL_DEPLOYER_GATEWAY_NAME: "shared",
    MODEL_DEPLOYER_GATEWAY_ADDRESS: "https://{endpoint}.models.example.org",
  };
  const here = { namespace: "models", podsNamespace: "models", listener: null };
  expect(readConfiguration(named).engine).toMatchObject({
    router: { kind: "gateway", name: "shared", ...here },
  });
  const elsewhere = {
    MODEL_DEPLOYER_GATEWAY_NAMESPACE: "infra",
    MODEL_DEPLOYER_GATEWAY_LISTENER: "https",
    MODEL_DEPLOYER_GATEWAY_PODS_NAMESPACE: "envoy-gateway-system",
  };
  expect(readConfiguration({ ...named, ...elsewhere }).engine).toMatchObject({
    router: { namespace: "infra", listener: "https", podsNamespace: "envoy-gateway-system" },
  });
  for (const address of [
    "https://models.example.org",
    "{endpoint}.example.org",
    "https://{endpoint}",
    "https://x.org/{endpoint}",
  ]) {
    const bad = { ...named, MODEL_DEPLOYER_GATEWAY_ADDRESS: address };
    expect(() => readConfiguration(bad), address).toThrow(/where callers find an endpoint/);
  }
});
