import { expect, test } from "vitest";
import {
  deploy,
  deployAtOnce,
  ENDPOINT,
  givenDeployer,
  type GivenDeployer,
  givenReadyForProduction,
  promoteWithApproval,
} from "../../../support/given/given_deployer.ts";
import { endpointNow, expectRepaired, givenServing, inShort, reconcile, signal } from "./reconciled.ts";

const resources = {
  replicas: 1,
  cpu_limit: "2",
  memory_limit: "4Gi",
  autoscaling: { min: 1, max: 5, target_cpu: 70 },
};

test("a server with traffic that has died is started again, and the router told where it is", async () => {
  const given = await givenDeployer();
  const { deployment } = await givenServing(given);
  const before = await endpointNow(given);
  await given.server.stop(deployment, { signal });
  const [finding] = await expectRepaired(given, `servers ${deployment}`);
  expect(finding?.found).toBe("absent");
  expect(finding?.wanted).toContain("100 % of the traffic");
  const observed = await given.server.observe(deployment, { signal });
  expect(observed).toMatchObject({ state: "ready", ...addressOnRoute(given, deployment) });
  expect((await endpointNow(given)).generation).toBe(before.generation);
});

function addressOnRoute({ router }: GivenDeployer, deployment: string) {
  const { host, port } = router.serverOf(ENDPOINT, deployment) ?? expect.fail("no address");
  return { host, port };
}

test("a warm server that has died is started again, and no route is touched", async () => {
  const given = await givenDeployer();
  const { deployment: old } = await givenServing(given);
  const version = await givenReadyForProduction(given, "run2");
  await promoteWithApproval(given, version);
  await deployAtOnce(given, version);
  await given.worker.tick();
  const { generation } = await endpointNow(given);
  given.server.crash(old);
  await expectRepaired(given, `servers ${old}`);
  expect((await endpointNow(given)).generation).toBe(generation);
});

test("a shadow that was away is started again, and its hours begin anew", async () => {
  const given = await givenDeployer();
  await givenReadyForProduction(given, "run1");
  const shadow = (await endpointNow(given)).mirror_deployment_id ?? expect.fail("no shadow");
  given.server.crash(shadow);
  await expectRepaired(given, `servers ${shadow}`);
  expect((await given.db.shadowEvidence.read(shadow))?.hours ?? 0).toBeLessThan(1);
  expect(await given.db.deployments.get(shadow)).toMatchObject({ status: "active" });
});

test("a rollout's candidate that has died is the rollout's to roll back", async () => {
  const given = await givenDeployer();
  await givenServing(given);
  const version = await givenReadyForProduction(given, "run2");
  await promoteWithApproval(given, version);
  const steps = [
    { weight: 50, bake_seconds: 60 },
    { weight: 100, bake_seconds: 0 },
  ];
  const { deployment_id } = await deploy(given, version, "production", { rollout: { steps } });
  await given.worker.tick();
  given.server.crash(deployment_id);
  const startedBefore = [...given.server.started];
  const { findings } = await reconcile(given);
  expect(findings.map(inShort)).toEqual([`servers ${deployment_id} left`]);
  expect(given.server.started).toEqual(startedBefore);
});

test("a server that nobody wants is stopped; one that the database does not know is left, and named", async () => {
  const given = await givenDeployer();
  const { manifest } = await givenServing(given);
  const [shadow] = await given.world.sql(
    "select deployment_id as id, drained_at from ml_deployments where target_stage = 'shadow'",
  );
  const id = String(shadow?.["id"]);
  expect(shadow?.["drained_at"]).not.toBeNull();
  for (const deployment_id of [id, "deploy_stranger"]) {
    await given.server.start({ deployment_id, bento_tag: manifest.bento_tag, resources }, { signal });
  }
  const { findings } = await reconcile(given);
  expect(findings.map(inShort).sort()).toEqual(
    [`servers ${id} repaired`, "servers deploy_stranger left"].sort(),
  );
  expect(await given.server.list()).toEqual([manifest.deployment_id, "deploy_stranger"]);
  expect((await given.db.deployments.get(id))?.drained_at).not.toBeNull();
});
