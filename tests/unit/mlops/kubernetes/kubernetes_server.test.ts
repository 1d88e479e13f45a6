import { describe, expect, test } from "vitest";
import { objectName } from "../../../../src/mlops/kubernetes/server/object_names.ts";
import { MISSING_NAMESPACE } from "../../../support/kubernetes/api_server/stand_in_cluster.ts";
import type { PodBehaviour } from "../../../support/kubernetes/api_server/node_agent.ts";
import { running, serverSettings } from "../../../support/kubernetes/cluster_with_servers.ts";
import {
  clusterForEachTest,
  input,
  made,
  options,
  resources,
  tag,
} from "../../../support/kubernetes/cluster_for_each_test.ts";

const { here, only } = clusterForEachTest();

describe("what a deployment becomes", () => {
  test("one Deployment by its manifest, with a Service, an autoscaler, a budget and a policy that go with it", async () => {
    const address = await here().server.start(input, options());
    const deployment = only("deployments");
    expect(deployment).toMatchObject({
      spec: {
        replicas: 2,
        template: {
          spec: {
            automountServiceAccountToken: false,
            securityContext: { runAsNonRoot: true },
            containers: [
              {
                resources: {
                  requests: { cpu: "500m", memory: "1Gi" },
                  limits: { cpu: "500m", memory: "1Gi" },
                },
                securityContext: { readOnlyRootFilesystem: true, allowPrivilegeEscalation: false },
                readinessProbe: { httpGet: { path: "/readyz" } },
                livenessProbe: { httpGet: { path: "/livez" } },
              },
              { name: "predictions" },
            ],
          },
        },
      },
    });
    expect(only("horizontalpodautoscalers")).toMatchObject({
      spec: {
        minReplicas: 2,
        maxReplicas: 5,
        metrics: [{ resource: { name: "cpu", target: { averageUtilization: 70 } } }],
      },
    });
    expect(only("networkpolicies")).toMatchObject({
      spec: {
        policyTypes: ["Ingress"],
        ingress: [{ from: [{ podSelector: { matchLabels: { "model-deployer/role": "router" } } }] }],
      },
    });
    expect(only("services")).toMatchObject({ spec: { clusterIP: address.host } });
    expect(here().cluster.objects.list("pods")).toHaveLength(2);
    await here().server.stop("dep_one", options());
    for (const plural of [...made, "pods"]) expect(here().cluster.objects.list(plural)).toEqual([]);
  });

  test("a Deployment is never written again: whoever scales it keeps their say", async () => {
    await here().server.start(input, options());
    const { name } = only("deployments")?.metadata ?? { name: "" };
    here().cluster.objects.patch("deployments", name, { spec: { replicas: 4 } });
    await here().server.start(input, options());
    expect(await here().server.observe("dep_one", options())).toMatchObject({ state: "ready" });
    expect(only("deployments")).toMatchObject({ spec: { replicas: 4 } });
  });

  test("the control plane is let in where its addresses are named", async () => {
    const settings = { ...serverSettings, controlPlane: "10.0.0.0/28" };
    await here().another({ settings }).start(input, options());
    expect(only("networkpolicies")).toMatchObject({
      spec: { ingress: [{ from: [{}, { ipBlock: { cidr: "10.0.0.0/28" } }] }] },
    });
  });

  test("without room between its bounds nothing scales", async () => {
    await here().server.start(
      { ...input, resources: { ...resources, autoscaling: { min: 1, max: 1, target_cpu: 70 } } },
      options(),
    );
    expect(here().cluster.objects.list("horizontalpodautoscalers")).toEqual([]);
    expect(here().cluster.objects.list("pods")).toHaveLength(2);
  });
});

const failures: [string, PodBehaviour, RegExp][] = [
  [
    "an image that cannot be pulled",
    { becomes: "waiting", reason: "ImagePullBackOff", message: "manifest unknown" },
    /ImagePullBackOff: manifest unknown/,
  ],
  [
    "memory",
    { becomes: "crashing", reason: "OOMKilled", exitCode: 137, log: "" },
    /OOMKilled: it used more memory than its memory_limit/,
  ],
  [
    "a crash",
    { becomes: "crashing", reason: "Error", exitCode: 3, log: "Traceback:\nValueError: no such column" },
    /exit code 3: ValueError: no such column/,
  ],
  [
    "a crash without a word",
    { becomes: "crashing", reason: "Error", exitCode: 3, log: "" },
    /exit code 3: its log names no error/,
  ],
];

describe("why a server cannot be started", () => {
  test.each(failures)("%s", async (_what, behaviour, words) => {
    here().behaviours.set(tag, behaviour);
    const attempt = here().server.start(input, options());
    await expect(attempt).rejects.toMatchObject({ code: "endpoint_creation_failed" });
    await expect(attempt).rejects.toThrow(words);
    for (const plural of made) expect(here().cluster.objects.list(plural)).toEqual([]);
  });

  test("no node has room, or its probe never succeeds: told once the limit is over", async () => {
    const settings = { ...serverSettings, startSeconds: 0.2 };
    const hasty = here().another({ settings });
    here().behaviours.set(tag, {
      becomes: "unschedulable",
      message: "0/3 nodes are available: 3 Insufficient cpu.",
    });
    await expect(hasty.start(input, options())).rejects.toThrow(
      /not ready within MODEL_DEPLOYER_START_SECONDS=0\.2: Unschedulable: 0\/3 nodes are available: 3 Insufficient cpu/,
    );
    here().behaviours.set(tag, { becomes: "unready" });
    await expect(hasty.start(input, options())).rejects.toThrow(/0 of 2 pods are available/);
  });

  test("a quota", async () => {
    here().cluster.node.podQuota = 1;
    await expect(here().server.start(input, options())).rejects.toThrow(
      /FailedCreate: .*exceeded quota: pods/,
    );
  });

  test("another model answers in the pod", async () => {
    here().behaviours.set(tag, (pod) => running("e2i_other:v1", pod));
    await expect(here().server.start(input, options())).rejects.toThrow(
      /is answered by e2i_other:v1 for dep_one, not by e2i_classifier:v1/,
    );
  });

  test("its model does not answer its own example, unless it served before", async () => {
    here().behaviours.set(tag, (pod) => {
      const well = running(tag, pod);
      if (well.becomes !== "running") return well;
      const answer = (path: string, body: string) =>
        path === "/invocations"
          ? {
              status: 500,
              body: JSON.stringify({ error: "upstream is away", error_type: "ConnectionError" }),
            }
          : well.answer(path, body);
      return { ...well, answer };
    });
    await expect(here().server.start(input, options())).rejects.toThrow(
      /answered with 500: upstream is away/,
    );
    await here().server.start({ ...input, served_before: true }, options());
  });

  test("its namespace is missing", async () => {
    const starting = here().another({ namespace: MISSING_NAMESPACE }).start(input, options());
    await expect(starting).rejects.toThrow(
      /namespaces "missing" not found; make it by `kubectl create namespace missing`/,
    );
  });

  test("somebody's Deployment has its name", async () => {
    const name = objectName("test", "dep_one");
    const labels = { app: "theirs" };
    const spec = {
      selector: { matchLabels: labels },
      template: { metadata: { labels }, spec: { containers: [{ name: "theirs", image: "nginx" }] } },
    };
    here().cluster.objects.create("deployments", {
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name },
      spec,
    });
    await expect(here().server.start(input, options())).rejects.toThrow(
      `namespace models has a Deployment ${name} that is no server of this deployer`,
    );
    expect(here().cluster.objects.list("deployments")).toHaveLength(1);
  });
});

test("looks of the same moment share one list", async () => {
  const ids = Array.from({ length: 20 }, (_, index) => `dep_${index}`);
  for (const deployment_id of ids) await here().server.start({ ...input, deployment_id }, options());
  const shared = here().another({ freshMs: 60_000 });
  // The first look also asks each pod who it is.
  await Promise.all(ids.map((id) => shared.observe(id, options())));
  here().cluster.calls.length = 0;
  const another = here().another({ freshMs: 60_000 });
  for (const subject of [shared, another]) {
    for (const seen of await Promise.all(ids.map((id) => subject.observe(id, options())))) {
      expect(seen.state).toBe("ready");
    }
  }
  const lists = here().cluster.calls.filter((call) => !call.includes("/proxy/"));
  expect(lists).toEqual(
    [
      "/apis/apps/v1/namespaces/models/deployments",
      ...["pods", "services"].map((of) => `/api/v1/namespaces/models/${of}`),
    ].map((path) => `GET ${path}`),
  );
});
