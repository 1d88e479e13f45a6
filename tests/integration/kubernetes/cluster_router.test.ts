import { request } from "undici";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Route } from "../../../src/agents/model_deployer/domain/traffic/rollout.ts";
import type { TrafficRouter } from "../../../src/agents/model_deployer/ports/traffic_router_port.ts";
import { endpointObjectName } from "../../../src/mlops/kubernetes/router/router_objects.ts";
import { pollUntil } from "../../../src/testing/poll.ts";
import { type EnvoyFixture, makeEnvoyFixture, prepareEnvoy } from "../envoy/fixture.ts";
import { clusterRouter, routerSettings } from "../../support/kubernetes/cluster_router.ts";
import { ClusterOfEnvoys } from "../../support/kubernetes/envoy_pods.ts";

const options = { signal: AbortSignal.timeout(600_000) };
const name = endpointObjectName(routerSettings.installation, "churn");
const route = (generation: number, weights: Route["weights"]): Route => ({
  endpoint_name: "churn",
  generation,
  weights,
  mirror_deployment_id: null,
});

let fixture: EnvoyFixture;
let envoys: ClusterOfEnvoys;
let router: TrafficRouter;
let closeClient: () => Promise<void>;
beforeEach(async () => {
  fixture = await makeEnvoyFixture();
  envoys = await ClusterOfEnvoys.start(await prepareEnvoy());
  const made = clusterRouter(envoys.cluster);
  router = made.router;
  closeClient = () => made.client.close();
});
afterEach(async () => {
  await closeClient();
  await envoys.close();
  await fixture.dispose();
});

async function send(count: number): Promise<void> {
  const addresses = envoys.addresses(name);
  for (let sent = 0; sent < count; sent += 1) {
    const address = addresses[sent % addresses.length] ?? "";
    const answer = await request(`${address}/predict`, { method: "POST", body: "{}" });
    expect(answer.statusCode).toBe(200);
    await answer.body.dump();
  }
}

/** The newest figures of a deployment, once so many requests are counted in them. */
async function counted(requests: number) {
  return pollUntil(
    async () => {
      const [figures] = await router.figures("churn", options);
      return (figures?.requests ?? 0) === requests ? (figures ?? null) : null;
    },
    { deadlineMs: 120_000, what: `${requests} counted requests` },
  );
}

/** Of the server `a`, with both Envoys ready. */
async function serveA(): Promise<void> {
  await router.open("churn", options);
  const { address } = await fixture.startServer("a");
  await router.apply(route(1, { a: 100 }), [address], options);
  await envoys.untilReady(name, 2);
  await router.figures("churn", options);
}

test("counts the requests of both Envoys once, also when one of them goes and another comes", async () => {
  await serveA();
  await send(10);
  const before = await counted(10);
  const [gone] = envoys.cluster.node.pods(name);
  envoys.cluster.objects.remove("pods", gone?.metadata.name ?? "", undefined);
  envoys.cluster.node.look();
  await envoys.untilReady(name, 2);
  // What the one that stayed had counted belongs to the life before, and is not told again.
  expect(await router.figures("churn", options)).toEqual([]);
  await send(4);
  const after = await counted(4);
  expect(after.epoch).not.toBe(before.epoch);
});

test("an Envoy that comes later begins with the route that is in force, and adds to the figures", async () => {
  await serveA();
  await send(2);
  const { epoch } = await counted(2);
  envoys.cluster.objects.patch("deployments", name, { spec: { replicas: 3 } });
  await envoys.untilReady(name, 3);
  expect(await router.observe("churn", options)).toEqual(route(1, { a: 100 }));
  await send(9);
  expect((await counted(11)).epoch).toBe(epoch);
});

test("a route is in force when the slower of two nodes has handed it over, and not before", async () => {
  await serveA();
  const { address } = await fixture.startServer("b");
  envoys.isNodeSlow = true;
  let isApplied = false;
  const applying = router.apply(route(2, { b: 100 }), [address], options).then((applied) => {
    isApplied = true;
    return applied;
  });
  await pollUntil(
    async () => JSON.stringify(envoys.cluster.objects.get("configmaps", name)).includes('\\"b\\"'),
    { deadlineMs: 120_000, what: "a ConfigMap that tells of b" },
  );
  expect(await router.observe("churn", options)).toEqual(route(1, { a: 100 }));
  expect(isApplied).toBe(false);
  envoys.isNodeSlow = false;
  envoys.cluster.node.look();
  envoys.cluster.objects.onChange("pods");
  expect(await applying).toEqual(route(2, { b: 100 }));
});

test("two that apply at the same time end with the newer generation", async () => {
  await serveA();
  const { address } = await fixture.startServer("b");
  const other = clusterRouter(envoys.cluster);
  const both = await Promise.allSettled([
    router.apply(route(2, { a: 50, b: 50 }), [address], options),
    other.router.apply(route(3, { b: 100 }), [address], options),
  ]);
  await other.client.close();
  expect(both[1]).toMatchObject({ status: "fulfilled", value: route(3, { b: 100 }) });
  expect(await router.observe("churn", options)).toEqual(route(3, { b: 100 }));
});

test("a pod answers what its Envoy reads, and nothing that changes it", async () => {
  await serveA();
  const readings = (envoys.addresses(name)[0] ?? "").replace(":8080", ":9901");
  expect((await request(`${readings}/ready`)).statusCode).toBe(200);
  for (const path of ["/quitquitquit", "/drain_listeners", "/reset_counters", "/ready"]) {
    expect((await request(`${readings}${path}`, { method: "POST" })).statusCode, path).toBe(404);
  }
  expect(await router.observe("churn", options)).toEqual(route(1, { a: 100 }));
});

test("all Envoys of an endpoint together fill no more than the queue of a shadow that never answers", async () => {
  const shadow = await fixture.startServer("shadow", { hold: true });
  await router.open("churn", options);
  await envoys.untilReady(name, 2);
  const mirrored: Route = { ...route(1, {}), mirror_deployment_id: "shadow" };
  await router.apply(mirrored, [shadow.address], options);
  const addresses = envoys.addresses(name);
  const ask = async (times: number) => {
    for (let sent = 0; sent < times; sent += 1) {
      const answer = await request(`${addresses[sent % 2]}/predict`, { method: "POST", body: "{}" });
      expect(answer.statusCode).toBe(503);
      await answer.body.dump();
    }
  };
  await ask(200);
  await pollUntil(() => shadow.received.length >= 64, { deadlineMs: 120_000, what: "a full queue" });
  await ask(200);
  expect(shadow.received).toHaveLength(64);
  shadow.release();
  // As many again had waited in the Envoys, which turned the others away.
  expect(await counted(128)).toMatchObject({ deployment_id: "shadow", errors: 0 });
});
