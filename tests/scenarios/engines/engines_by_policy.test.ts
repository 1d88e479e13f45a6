import { expect, test } from "vitest";
import {
  act,
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
  type TestDeployer,
} from "../../../src/testing/index.ts";
import { LOCAL_ENGINE } from "../../../src/agents/model_deployer/domain/servers/engines.ts";
import {
  keptRowSettingsSchema,
  usualKeptRows,
} from "../../../src/agents/model_deployer/domain/evidence/kept_rows.ts";
import { gatherStatus } from "../../../src/service/status/gather_status.ts";
import { givenEngines, LOCAL_AND_CLUSTER } from "../../support/given/given_engines.ts";

const noSample = { sample: "none" as const };
const signal = AbortSignal.timeout(600_000);
const rollout = {
  steps: [
    { weight: 10, bake_seconds: 0 },
    { weight: 100, bake_seconds: 0 },
  ],
};

const weightsOf = async ({ database }: TestDeployer) => (await database.endpoints.get(ENDPOINT))?.weights;
const engineOf = async ({ database }: TestDeployer, id: string) =>
  (await database.deployments.get(id))?.engine;
const findings = async ({ capabilities }: TestDeployer) =>
  (await capabilities.reconciler.reconcile({ signal })).findings;

/** So many requests come, and the worker looks a minute later. */
async function lookAfter(given: TestDeployer, requests: number): Promise<void> {
  given.passTime({ minutes: 1 });
  await given.worker.tick();
  given.router.sendTraffic(ENDPOINT, requests);
  given.passTime({ minutes: 1 });
  expect((await given.worker.tick()).problems).toEqual([]);
}

test("a policy moves an endpoint from this machine to a cluster by the next deployment, and a rollback goes back", async () => {
  const { given, local, cluster, images, serveOn } = await givenEngines();
  const { deployment: old, manifest } = await inProduction(given, "run1");
  expect(manifest).toMatchObject({ engine: "local" });
  expect(cluster.started).toEqual([]);

  // The team outgrows the machine. What serves stays where it is.
  await serveOn({ production: "kubernetes" });
  given.passTime({ minutes: 2 });
  await given.worker.tick();
  expect(await findings(given)).toEqual([]);
  expect(await local.list()).toContain(old);
  expect(cluster.started).toEqual([]);

  // The next version's shadow is in the cluster, and its copies are production's requests here.
  const next = await readyForProduction(given, "run2");
  const shadow = (await given.database.endpoints.get(ENDPOINT))?.mirror_deployment_id ?? "";
  expect(await engineOf(given, shadow)).toBe("kubernetes");
  expect(images).toEqual(["e2i_remission:v2"]);
  await promoteWithApproval(given, next);

  // The plan says that it is a move; then it is a rollout like any other, judged, one look at a time.
  const { graph } = given;
  const asked = { model_version_id: next, target_stage: "production" as const, rollout };
  const planned = await graph.invoke(
    { deployment_action: "deploy", ...asked },
    { configurable: { thread_id: "plan" }, context: { effects: "dry-run" } },
  );
  expect(JSON.stringify(planned)).toContain(`It is served on kubernetes, and ${old} on local`);
  const candidate = await deploy(given, next, "production", { rollout });
  expect(candidate).toMatchObject({ engine: "kubernetes", rollout: { status: "running" } });
  expect(await cluster.list()).toEqual([candidate.deployment_id]);
  expect(await weightsOf(given)).toEqual({ [old]: 90, [candidate.deployment_id]: 10 });
  await lookAfter(given, 4000);
  expect(await weightsOf(given)).toEqual({ [candidate.deployment_id]: 100 });

  // A rollback goes back to this machine, where the old one is still warm: nothing is started for it.
  const started = [...local.started, ...cluster.started];
  const back = await act(given, "rollback", { endpoint_name: ENDPOINT, rollback_reason: "too dear" });
  expect(back.deployment_manifest).toMatchObject({ deployment_id: old, engine: "local", status: "active" });
  expect(await weightsOf(given)).toEqual({ [old]: 100 });
  expect([...local.started, ...cluster.started]).toEqual(started);

  // The one that was bad is ended in the cluster when its time is over, and the old one is untouched.
  given.passTime({ minutes: 10 });
  await given.worker.tick();
  expect(await cluster.list()).not.toContain(candidate.deployment_id);
  expect(await local.list()).toEqual([old]);
  expect(await findings(given)).toEqual([]);
});

test("whatever is asked of a deployment goes to the engine that it was made on, whatever the policy says by then", async () => {
  const { given, local, cluster, serveOn } = await givenEngines();
  await serveOn({ production: "kubernetes" });
  const { deployment } = await inProduction(given, "run1");
  expect(await cluster.list()).toContain(deployment);
  await serveOn({});

  await act(given, "restart", { deployment_id: deployment, restart_reason: "it holds old settings" });
  expect(cluster.started.filter((id) => id === deployment)).toHaveLength(1);
  await act(given, "update", { deployment_id: deployment, replicas: 2, update_reason: "more callers" });
  expect(cluster.started).toContain(`${deployment}.replica-2`);
  cluster.crash(deployment);
  const [found] = await findings(given);
  expect(found).toMatchObject({ part: "servers", outcome: "repaired" });
  expect(found?.wanted).toContain("2 servers on kubernetes");
  expect(cluster.started.filter((id) => id === deployment)).toHaveLength(2);
  expect(local.started).toEqual([]);

  // Its successor is made here, as the policy says now, and its own servers end there.
  const next = await readyForProduction(given, "run2");
  await promoteWithApproval(given, next);
  await deployAtOnce(given, next);
  expect(await local.list()).toHaveLength(1);
  expect(await cluster.list()).toEqual([deployment]);
  given.passTime({ hours: 2 });
  await given.worker.tick();
  expect(await cluster.list()).toEqual([]);
});

test("each endpoint of an experiment may have an engine of its own, and a model moves between them by its stages", async () => {
  const { given, local, cluster, serveOn } = await givenEngines();
  await serveOn({ staging: "kubernetes" });
  const version = await register(given, "run1");
  await promote(given, version, "staging");
  const staged = await deploy(given, version, "staging");
  expect(staged).toMatchObject({ engine: "kubernetes" });
  await promote(given, version, "shadow");
  expect(await deploy(given, version, "shadow")).toMatchObject({ engine: "local" });
  expect(cluster.started).toEqual([staged.deployment_id]);
  expect(local.started).toHaveLength(1);
});

test("a shadow elsewhere is not adopted: production gets a server on its own engine", async () => {
  const { given, local, cluster, serveOn } = await givenEngines();
  const version = await readyForProduction(given, "run1");
  const shadow = (await given.database.endpoints.get(ENDPOINT))?.mirror_deployment_id ?? "";
  await promoteWithApproval(given, version);
  await serveOn({ production: "kubernetes" });
  const { deployment_id } = await deploy(given, version, "production");
  expect(local.started).toEqual([shadow]);
  expect(cluster.started).toEqual([deployment_id]);
  expect(await weightsOf(given)).toEqual({ [deployment_id]: 100 });
});

test("a rollback on this machine waits for no cluster, though the shadow of the next version is there", async () => {
  const { given, cluster, serveOn } = await givenEngines();
  const first = await inProduction(given, "run1");
  const second = await inProduction(given, "run2", { rollout });
  await serveOn({ production: "kubernetes" });
  const next = await register(given, "run3");
  await promote(given, next, "staging");
  await promote(given, next, "shadow");
  await deploy(given, next, "shadow");
  cluster.down();
  await act(given, "rollback", { endpoint_name: ENDPOINT, rollback_reason: "callers get nonsense" });
  expect(await weightsOf(given)).toEqual({ [first.deployment]: 100 });
  expect(await engineOf(given, second.deployment)).toBe("local");
});

test("an engine that the installation has not is refused by name before anything is done, with the ways out", async () => {
  const { given, serveOn, local } = await givenEngines(LOCAL_ENGINE);
  const version = await register(given, "run1");
  await promote(given, version, "staging");
  await serveOn({ staging: "kubernetes" });
  const error = await errorOf(deploy(given, version, "staging"));
  expect(error).toMatchObject({ code: "engine_refused", retryable: false });
  expect(error.message).toContain(`The policy of ${EXPERIMENT} serves staging on kubernetes`);
  expect(error.message).toContain("MODEL_DEPLOYER_ENGINE=local,kubernetes");
  expect(error.next[0]?.command).toContain(`policy set ${EXPERIMENT} --engine staging=usual`);
  expect(local.started).toEqual([]);
  expect(await given.database.deployments.listForVersion(version)).toEqual([]);
});

test("a process without the engine of what serves neither starts it anew nor stops it, and says so by name", async () => {
  const { given, another, cluster, local, serveOn } = await givenEngines();
  await serveOn({ production: "kubernetes" });
  const { deployment } = await inProduction(given, "run1");
  const without = another(LOCAL_ENGINE);
  const report = await without.capabilities.reconciler.reconcile({ signal });
  expect(report.findings).toEqual([]);
  expect(report.unchecked).toEqual([
    expect.stringContaining(`${deployment} runs on kubernetes, and this deployer has local alone`),
  ]);
  const { parts, database } = without;
  const server = { observe: parts.server.observe.bind(parts.server), trySample: async () => noSample };
  const others = { ingress: null, shortages: async () => [], underWay: async () => [] };
  const status = await gatherStatus({ database, server, router: parts.router, ...others }, ENDPOINT);
  const [shown] = status.endpoints[0]?.servers ?? [];
  expect(shown).toMatchObject({ deployment_id: deployment, engine: "kubernetes", server: "unknown" });
  expect(shown?.note).toContain("MODEL_DEPLOYER_ENGINE=local,kubernetes");
  const error = await errorOf(
    act(without, "restart", { deployment_id: deployment, restart_reason: "to see" }),
  );
  expect(error).toMatchObject({ code: "engine_refused", retryable: false });
  expect(local.started).toEqual([]);
  expect(await cluster.list()).toEqual([deployment]);
  expect(await weightsOf(given)).toEqual({ [deployment]: 100 });
});

test("another usual engine moves nothing by itself: what was made here stays, and the next deployment is there", async () => {
  const { given, another, local, cluster } = await givenEngines(LOCAL_ENGINE);
  const { deployment } = await inProduction(given, "run1");
  const later = another({ ...LOCAL_AND_CLUSTER, usual: "kubernetes" });
  expect(await findings(later)).toEqual([]);
  const { manifest } = await inProduction(later, "run2", { rollout });
  expect(manifest).toMatchObject({ engine: "kubernetes" });
  expect(await local.list()).toContain(deployment);
  expect(await cluster.list()).toContain(manifest.deployment_id);
});

test("rows that a policy keeps are sent to no candidate whose engine takes none, and hold up no rollout", async () => {
  const { given, serveOn } = await givenEngines();
  const { deployment } = await inProduction(given, "run1");
  const next = await readyForProduction(given, "run2");
  await promoteWithApproval(given, next);
  const { policy_id: _, ...policy } = await given.database.experiments.getGatePolicy(EXPERIMENT);
  const kept_rows = keptRowSettingsSchema.parse({ ...usualKeptRows, sample: 1 });
  await given.database.experiments.setGatePolicy(EXPERIMENT, { ...policy, kept_rows, reason: "look" }, "ana");
  await serveOn({ production: "kubernetes" });
  const candidate = await deploy(given, next, "production", { rollout });
  expect(await weightsOf(given)).toEqual({ [deployment]: 90, [candidate.deployment_id]: 10 });
  expect(given.wire.calls).toContain("rowServers.takesRows");
  expect(given.wire.calls).not.toContain("rowServers.predictRow");
});
