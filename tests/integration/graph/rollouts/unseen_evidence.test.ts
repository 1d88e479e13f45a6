import { expect, test } from "vitest";
import {
  deploy,
  ENDPOINT,
  errorOf,
  givenDeployer,
  givenReadyForProduction,
  promote,
  register,
  turnBackActivation,
} from "../../../support/given/given_deployer.ts";

const toProduction = (model_version_id: string) => ({
  deployment_action: "promote",
  request_id: `to-production-${model_version_id}`,
  model_version_id,
  target_stage: "production" as const,
});

test("evidence that could not be looked at refuses nobody for good: the same request is answered once it can be", async () => {
  const given = await givenDeployer();
  const version = await givenReadyForProduction(given, "run1");
  given.wire.fail("router.figures", { times: 2 });
  const first = await errorOf(given.agent.execute(toProduction(version)));
  expect(first).toMatchObject({ code: "service_unavailable", retryable: true });
  given.wire.mend();
  const second = await errorOf(given.agent.execute(toProduction(version)));
  expect(second.code).toBe("approval_required");
});

test("evidence that was collected before is enough, and the plan says that it is not new", async () => {
  const given = await givenDeployer();
  const version = await givenReadyForProduction(given, "run1");
  await given.worker.tick();
  given.wire.fail("router.figures");
  const error = await errorOf(given.agent.execute(toProduction(version)));
  expect(error.code).toBe("approval_required");
  const operation = await given.db.operations.get(String(error.details["operation_id"]));
  expect(operation?.plan?.notes).toContainEqual(expect.stringContaining("degraded: no new evidence"));
});

test("what evidence cannot mend is refused all the same", async () => {
  const given = await givenDeployer();
  const version = await register(given, "run1");
  await promote(given, version, "staging");
  await promote(given, version, "shadow");
  const { deployment_id } = await deploy(given, version, "shadow");
  given.router.sendTraffic(ENDPOINT, 1000);
  await turnBackActivation(given, deployment_id, "2 hours");
  given.wire.fail("router.figures");
  const error = await errorOf(given.agent.execute(toProduction(version)));
  expect(error.code).toBe("production_criteria_not_met");
});
