import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { z } from "zod";
import {
  deploy,
  ENDPOINT,
  inProduction,
  promoteWithApproval,
  readyForProduction,
} from "../../../src/testing/index.ts";
import { type DeployerInCluster, deployerInCluster } from "../../support/kubernetes/deployer_in_cluster.ts";
import { type KeptObject, Refusal } from "../../support/kubernetes/api_server/object_store.ts";

const signal = AbortSignal.timeout(600_000);

let all: DeployerInCluster;
beforeEach(async () => {
  all = await deployerInCluster();
});
afterEach(() => all.close());

const objects = () => all.here.cluster.objects;
const findings = async () => (await all.given.capabilities.reconciler.reconcile({ signal })).findings;
const wanted = async () => (await all.given.database.endpoints.get(ENDPOINT)) ?? expect.fail("no endpoint");
const inForce = async () => (await all.here.router.observe(ENDPOINT, { signal })) ?? expect.fail("no route");
const deploymentOf = (id: string) =>
  objects()
    .list("deployments")
    .find(({ metadata }) => metadata.annotations?.["model-deployer/deployment-id"] === id) ??
  expect.fail(`no Deployment of ${id}`);
const routeObject = () =>
  objects()
    .list("httproutes")
    .find(({ metadata }) => metadata.annotations?.["model-deployer/endpoint-name"] === ENDPOINT) ??
  expect.fail("no HTTPRoute");
const answers = (count: number) => all.here.send(ENDPOINT, count);
const patch = (plural: string, { metadata }: KeptObject, change: object) => {
  const patched = objects().patch(plural, metadata.name, change);
  if (patched instanceof Refusal) throw new TypeError(patched.message);
};

/** A version in production, and nothing that differs. */
async function serving(): Promise<string> {
  await inProduction(all.given, "run1");
  const [id] = Object.keys((await wanted()).weights);
  await findings();
  expect(await findings()).toEqual([]);
  expect(await answers(2)).toEqual([200, 200]);
  return id ?? expect.fail("nothing serves");
}

describe("somebody in the cluster", () => {
  test("deletes a Deployment: it is made again, and its route leads to it", async () => {
    const id = await serving();
    objects().remove("deployments", deploymentOf(id).metadata.name, undefined);
    expect(await findings()).toMatchObject([
      { part: "servers", subject: id, found: "absent", outcome: "repaired" },
    ]);
    expect(await findings()).toEqual([]);
    expect(await answers(2)).toEqual([200, 200]);
  });

  test("removes a Service: it is made again", async () => {
    const id = await serving();
    const { name } = deploymentOf(id).metadata;
    objects().remove("services", name, undefined);
    expect(await findings()).toMatchObject([
      {
        part: "servers",
        subject: id,
        found: `failed: its Service ${name} is gone; a start makes it again`,
        outcome: "repaired",
      },
    ]);
    expect(await findings()).toEqual([]);
    expect(await answers(2)).toEqual([200, 200]);
  });

  test("scales it to none: it is told, and has pods again", async () => {
    const id = await serving();
    patch("deployments", deploymentOf(id), { spec: { replicas: 0 } });
    all.here.cluster.node.look();
    const [found] = await findings();
    expect(found).toMatchObject({ part: "servers", subject: id, outcome: "repaired" });
    expect(found?.found).toMatch(/somebody scaled its Deployment to 0 pods/);
    expect(await findings()).toEqual([]);
    expect(await answers(1)).toEqual([200]);
  });

  test("scales it up, which is theirs to do", async () => {
    const id = await serving();
    patch("deployments", deploymentOf(id), { spec: { replicas: 3 } });
    all.here.cluster.node.look();
    expect(await findings()).toEqual([]);
    expect(deploymentOf(id)["spec"]).toMatchObject({ replicas: 3 });
  });

  test("edits a weight: what is wanted is in force again, as a newer generation", async () => {
    const id = await serving();
    const before = await wanted();
    const { rules } = z.looseObject({ rules: z.array(z.looseObject({})) }).parse(routeObject()["spec"]);
    const edited = rules.map((rule) => ({
      ...rule,
      backendRefs: [{ ...z.array(z.looseObject({})).parse(rule["backendRefs"])[0], weight: 7 }],
    }));
    patch("httproutes", routeObject(), { spec: { rules: edited } });
    expect(await findings()).toMatchObject([
      {
        part: "router",
        subject: ENDPOINT,
        found: `generation ${before.generation}: 7 % to ${id}`,
        outcome: "repaired",
      },
    ]);
    expect(await findings()).toEqual([]);
    expect(await inForce()).toMatchObject({ generation: before.generation + 1, weights: before.weights });
  });

  test("deletes the route: the endpoint is opened again at the same address, with what is wanted", async () => {
    await serving();
    const { name } = routeObject().metadata;
    objects().remove("httproutes", name, undefined);
    expect(await findings()).toMatchObject([{ part: "router", found: "no listener", outcome: "repaired" }]);
    expect(await findings()).toEqual([]);
    expect(await inForce()).toMatchObject({ weights: (await wanted()).weights });
    expect(await answers(2)).toEqual([200, 200]);
  });

  test("takes the gateway away: it is told with the reason, and mended when the gateway is back", async () => {
    await serving();
    const gateway = objects().get("gateways", "shared");
    if (gateway instanceof Refusal) throw new TypeError(gateway.message);
    objects().remove("gateways", "shared", undefined);
    const hasty = all.here.anotherRouter({ acknowledgement: { deadlineMs: 200, pollMs: 5 } });
    await expect(hasty.open(ENDPOINT, { signal })).rejects.toThrow(/NoMatchingParent/);
    expect(await all.here.router.observe(ENDPOINT, { signal })).toBeNull();
    objects().create("gateways", {
      apiVersion: gateway.apiVersion,
      kind: gateway.kind,
      metadata: { name: "shared" },
      spec: gateway["spec"],
    });
    expect(await findings()).toEqual([]);
    expect(await answers(1)).toEqual([200]);
  });
});

test("a rollout behind a gateway is judged by the pods' counts, and completes", async () => {
  await serving();
  const version = await readyForProduction(all.given, "run2");
  await promoteWithApproval(all.given, version);
  const { deployment_id } = await deploy(all.given, version, "production");
  expect((await wanted()).weights[deployment_id]).toBeGreaterThan(0);
  for (let look = 0; look < 60; look += 1) {
    await answers(40);
    all.given.passTime({ minutes: 5 });
    await all.given.worker.tick();
    if ((await wanted()).weights[deployment_id] === 100) break;
  }
  expect((await wanted()).weights[deployment_id]).toBe(100);
  expect(await inForce()).toMatchObject({ weights: { [deployment_id]: 100 } });
});
