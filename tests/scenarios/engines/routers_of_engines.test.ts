import { expect, test } from "vitest";
import {
  deploy,
  deployAtOnce,
  ENDPOINT,
  errorOf,
  EXPERIMENT,
  inProduction,
  promote,
  promoteWithApproval,
  readyForProduction,
  register,
} from "../../../src/testing/index.ts";
import { OPEN_INGRESS } from "../../../src/agents/model_deployer/domain/access/ingress_policy.ts";
import { CLUSTER_ROUTES_ITSELF, givenEngines } from "../../support/given/given_engines.ts";

const signal = AbortSignal.timeout(600_000);
const STAGING = `${ENDPOINT}_staging`;

test("where the cluster has routers of its own, an endpoint that is new there is opened at them", async () => {
  const { given, inCluster, serveOn } = await givenEngines(CLUSTER_ROUTES_ITSELF);
  await serveOn({ staging: "kubernetes" });
  const version = await register(given, "run1");
  await promote(given, version, "staging");
  const { deployment_id } = await deploy(given, version, "staging");
  expect(await given.database.endpoints.get(STAGING)).toMatchObject({ engine: "kubernetes" });
  expect(await inCluster.observe(STAGING, { signal })).toMatchObject({ weights: { [deployment_id]: 100 } });
  expect(await given.router.observe(STAGING, { signal })).toBeNull();

  // The other endpoint of the same experiment is beside the worker, where its servers are.
  await promote(given, version, "shadow");
  await deploy(given, version, "shadow");
  expect(await given.router.observe(ENDPOINT, { signal })).not.toBeNull();
  expect(await inCluster.observe(ENDPOINT, { signal })).toBeNull();
  const report = await given.capabilities.reconciler.reconcile({ signal });
  expect(report).toMatchObject({ findings: [], unchecked: [] });
});

test("an endpoint whose router would not reach the other engine is not moved: its callers would be lost", async () => {
  const { given, cluster, serveOn } = await givenEngines(CLUSTER_ROUTES_ITSELF);
  const { deployment } = await inProduction(given, "run1");
  const next = await readyForProduction(given, "run2");
  await promoteWithApproval(given, next);
  await serveOn({ production: "kubernetes" });
  const error = await errorOf(deploy(given, next, "production"));
  expect(error).toMatchObject({ code: "engine_refused", retryable: false });
  expect(error.message).toContain(`${ENDPOINT} keeps its address and its router (worker) for its life`);
  expect(error.message).toContain("MODEL_DEPLOYER_ROUTER=worker");
  expect(error.next.map(({ command }) => command)).toEqual([
    `model-deployer policy set ${EXPERIMENT} --engine production=local --reason "..."`,
  ]);
  expect(cluster.started).toEqual([]);
  expect((await given.database.endpoints.get(ENDPOINT))?.weights).toEqual({ [deployment]: 100 });

  // As the way out says, it goes on here.
  await serveOn({ production: "local" });
  expect(await deployAtOnce(given, next)).toMatchObject({ engine: "local", status: "active" });
});

test("an endpoint of the cluster's routers is not moved to this machine, which they do not reach", async () => {
  const { given, local, serveOn } = await givenEngines(CLUSTER_ROUTES_ITSELF);
  await serveOn({ staging: "kubernetes" });
  const version = await register(given, "run1");
  await promote(given, version, "staging");
  await deploy(given, version, "staging");
  await serveOn({ staging: "local" });
  const error = await errorOf(deploy(given, version, "staging", { request_id: "again" }));
  expect(error).toMatchObject({ code: "engine_refused" });
  expect(error.message).toContain(
    `its router (cluster) for its life, and that router reaches no server of local`,
  );
  expect(local.started).toEqual([]);
});

test("an endpoint whose policy says who may call is not opened at a router that lets everybody in", async () => {
  const { given, cluster, serveOn } = await givenEngines(CLUSTER_ROUTES_ITSELF);
  const version = await register(given, "run1");
  await promote(given, version, "staging");
  const policy = { ...OPEN_INGRESS, keys: true };
  const by = { who: "ana", origin: null };
  const endpoint = { endpoint_name: STAGING, experiment_id: EXPERIMENT };
  await given.database.ingressPolicies.set(endpoint, policy, { reason: "a small model", by });
  await serveOn({ staging: "kubernetes" });
  const error = await errorOf(deploy(given, version, "staging"));
  expect(error).toMatchObject({ code: "engine_refused" });
  expect(error.message).toContain("(MODEL_DEPLOYER_ROUTER=cluster) would let everybody in");
  expect(error.next[0]?.command).toContain("--engine staging=local");
  expect(cluster.started).toEqual([]);
});

test("a process that has only this machine leaves an endpoint of the cluster's routers as it is", async () => {
  const { given, another, inCluster, serveOn } = await givenEngines(CLUSTER_ROUTES_ITSELF);
  await serveOn({ staging: "kubernetes" });
  const version = await register(given, "run1");
  await promote(given, version, "staging");
  const { deployment_id } = await deploy(given, version, "staging");
  await serveOn({});
  const without = another({ usual: "local", routers: { local: "worker" } });
  const error = await errorOf(deploy(without, version, "staging", { request_id: "again" }));
  expect(error).toMatchObject({ code: "engine_refused" });
  expect(error.message).toContain(`${STAGING} has its address at the router of kubernetes`);
  expect(await inCluster.observe(STAGING, { signal })).toMatchObject({ weights: { [deployment_id]: 100 } });
});
