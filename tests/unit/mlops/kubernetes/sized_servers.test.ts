import { afterEach, beforeEach, expect, test } from "vitest";
import { z } from "zod";
import { type ClusterWithServers, openCluster } from "../../../support/kubernetes/cluster_with_servers.ts";

const tag = "e2i_classifier:v1";
const candidate = "e2i_classifier:v2";
const signal = AbortSignal.timeout(300_000);
const resources = {
  replicas: 1,
  cpu_limit: "500m",
  memory_limit: "1Gi",
  autoscaling: { min: 1, max: 6, target_cpu: 70 },
};
const production = { deployment_id: "dep_production", bento_tag: tag, resources };
const next = { deployment_id: "dep_next", bento_tag: candidate, resources, sized_by: "dep_production" };

let here: ClusterWithServers;
beforeEach(async () => {
  here = await openCluster([tag, candidate]);
});
afterEach(() => here.close());

const specSchema = z.looseObject({ replicas: z.int() });
const named = (id: string) =>
  here.cluster.objects
    .list("deployments")
    .filter(({ metadata }) => metadata.annotations?.["model-deployer/deployment-id"] === id);
const podsOf = (id: string) => named(id).map(({ spec }) => specSchema.parse(spec).replicas);
/** As the autoscaler does. */
const scale = (id: string, replicas: number) => {
  for (const { metadata } of named(id))
    here.cluster.objects.patch("deployments", metadata.name, { spec: { replicas } });
};

test("a candidate begins with as many pods as production has now, within its own bounds", async () => {
  await here.server.start(production, { signal });
  scale("dep_production", 4);
  await here.server.start(next, { signal });
  expect(podsOf("dep_next")).toEqual([4]);
  scale("dep_production", 9);
  await here.server.start({ ...next, deployment_id: "dep_third" }, { signal });
  expect(podsOf("dep_third")).toEqual([6]);
});

test("one whose number nothing scales begins with that number", async () => {
  await here.server.start(production, { signal });
  scale("dep_production", 4);
  const fixed = { ...resources, replicas: 2, autoscaling: { min: 1, max: 1, target_cpu: 70 } };
  await here.server.start({ ...next, resources: fixed }, { signal });
  expect(podsOf("dep_next")).toEqual([2]);
});

test("a server beside another one has as many pods as that one", async () => {
  await here.server.start(production, { signal });
  scale("dep_production", 5);
  await here.server.start({ ...production, beside: true }, { signal });
  expect(podsOf("dep_production")).toEqual([5, 5]);
});

test("a start that was killed goes on though production has other pods by then", async () => {
  await here.server.start(production, { signal });
  scale("dep_production", 3);
  here.behaviours.set(candidate, { becomes: "unready" });
  const killed = new AbortController();
  const starting = here.server.start(next, { signal: killed.signal });
  await expect.poll(() => podsOf("dep_next")).toEqual([3]);
  killed.abort();
  await expect(starting).rejects.toThrow();
  scale("dep_production", 5);
  here.behaviours.delete(candidate);
  here.cluster.node.look();
  await here.another().start(next, { signal });
  expect(podsOf("dep_next")).toEqual([3]);
});
