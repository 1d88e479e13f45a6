import { expect, test } from "vitest";
import {
  act,
  createTestDeployer,
  deploy,
  deployAtOnce,
  ENDPOINT,
  errorOf,
  inProduction,
  promoteWithApproval,
  readyForProduction,
  type TestDeployer,
} from "../../src/testing/index.ts";

const soon = () => ({ signal: AbortSignal.timeout(60_000) });

const statusOf = async ({ database }: TestDeployer, id: string) =>
  (await database.deployments.get(id))?.status;

async function reconciled({ capabilities }: TestDeployer) {
  const { findings } = await capabilities.reconciler.reconcile(soon());
  return findings.map(({ subject, found, outcome }) => [subject, found, outcome]);
}

const UNREACHED = "active, though no request reaches it";

test("an archival that was cut off and overtaken leaves no server running that nobody asks", async () => {
  const given = await createTestDeployer();
  const { version, deployment: first } = await inProduction(given, "run1");
  given.wire.fail("router.apply", { times: 1 });
  expect((await errorOf(promoteWithApproval(given, version, "archived"))).code).toBe("service_unavailable");
  expect(await reconciled(given)).toContainEqual([first, UNREACHED, "left"]);
  const { deployment_id: second } = await deploy(given, version, "production");
  given.passTime({ minutes: 2 });
  expect((await given.worker.tick()).reconciliation?.findings).toMatchObject([
    { subject: first, found: UNREACHED, outcome: "repaired" },
  ]);
  expect(await statusOf(given, first)).toBe("draining");
  expect((await given.router.observe(ENDPOINT, soon()))?.weights).toEqual({ [second]: 100 });
  given.passTime({ minutes: 6 });
  await given.worker.tick();
  expect(await given.server.list()).toEqual([second]);
  expect(await reconciled(given)).toEqual([]);
});

test("a shadow whose server was dead when production went back comes to its end, and may be deployed anew", async () => {
  const given = await createTestDeployer();
  const { version: first } = await inProduction(given, "run1");
  const second = await readyForProduction(given, "run2");
  await promoteWithApproval(given, second);
  const { deployment_id: bad } = await deployAtOnce(given, second);
  const third = await readyForProduction(given, "run3");
  const shadow = (await given.database.endpoints.get(ENDPOINT))?.mirror_deployment_id ?? "";
  given.server.crash(shadow);
  await act(given, "rollback", { current_deployment_id: bad, rollback_reason: "wrong scores" });
  expect(await given.database.endpoints.get(ENDPOINT)).toMatchObject({ mirror_deployment_id: null });
  expect(await reconciled(given)).toContainEqual([shadow, UNREACHED, "repaired"]);
  expect(await statusOf(given, shadow)).toBe("draining");
  expect((await given.database.modelVersions.get(first))?.stage).toBe("production");
  const { deployment_id: again } = await deploy(given, third, "shadow");
  expect(await given.database.endpoints.get(ENDPOINT)).toMatchObject({ mirror_deployment_id: again });
  expect(await reconciled(given)).toEqual([]);
});
