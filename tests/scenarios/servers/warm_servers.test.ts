import { expect, test } from "vitest";
import {
  act,
  approve,
  createTestDeployer,
  deploy,
  ENDPOINT,
  errorOf,
  inProduction,
  promoteWithApproval,
  readyForProduction,
  type TestDeployer,
} from "../../../src/testing/index.ts";

async function givenAnAbortedRollout(given: TestDeployer): Promise<string> {
  await inProduction(given, "run1");
  const version = await readyForProduction(given, "run2");
  await promoteWithApproval(given, version);
  const { deployment_id } = await deploy(given, version, "production");
  await act(given, "abort", { endpoint_name: ENDPOINT, rollout_reason: "a meeting" });
  // Ends the version's shadow, whose server would do as well.
  await given.worker.tick();
  return deployment_id;
}

/** @returns the deployment that was made */
async function retry(given: TestDeployer): Promise<string> {
  const request = { deployment_action: "retry", endpoint_name: ENDPOINT, rollout_reason: "go on" };
  const waiting = await errorOf(given.agent.execute(request));
  await approve(given, String(waiting.details["operation_id"]));
  return (await given.agent.execute(request)).active_deployment_id ?? expect.fail("nothing was retried");
}

test("a retry takes over the candidate's warm server, and draining the candidate ends nothing", async () => {
  const given = await createTestDeployer();
  const before = await givenAnAbortedRollout(given);
  const started = [...given.server.started];
  const after = await retry(given);
  expect(given.server.started).toEqual(started);
  expect(await given.server.list()).toContain(after);
  expect(await given.server.list()).not.toContain(before);
  expect((await given.database.deployments.get(before))?.drained_at).not.toBeNull();

  given.passTime({ minutes: 10 });
  expect((await given.worker.tick()).problems).toEqual([]);
  await given.capabilities.reconciler.reconcile({ signal: AbortSignal.timeout(60_000) });
  expect(await given.server.list()).toContain(after);
  expect((await given.database.endpoints.get(ENDPOINT))?.weights[after]).toBeGreaterThan(0);
});

test("where that server has died, or is being stopped by somebody, one is started", async () => {
  for (const meanwhile of ["died", "being stopped"]) {
    const given = await createTestDeployer();
    const before = await givenAnAbortedRollout(given);
    if (meanwhile === "died") given.server.crash(before);
    else {
      given.passTime({ seconds: 301 });
      await given.database.deployments.claimForDraining({ limit: 10, claim_seconds: 60 });
    }
    const after = await retry(given);
    expect(given.server.started, meanwhile).toContain(after);
    expect(await given.server.list(), meanwhile).toContain(after);
  }
});

test("a retry that was cut off before it took the server over finds it running when it is carried on", async () => {
  const given = await createTestDeployer();
  const before = await givenAnAbortedRollout(given);
  const started = [...given.server.started];
  const lost = new TypeError("the process was killed");
  given.wire.fail("server.handOver", { times: 1, when: "before", error: lost });
  const request = { deployment_action: "retry", endpoint_name: ENDPOINT, rollout_reason: "go on" };
  const waiting = await errorOf(given.agent.execute(request));
  await approve(given, String(waiting.details["operation_id"]));
  await expect(given.agent.execute(request)).rejects.toThrow();

  given.passTime({ minutes: 1 });
  const swept = await given.database.deployments.claimForDraining({ limit: 10, claim_seconds: 60 });
  expect(swept).toEqual([]);
  await given.worker.tick();
  expect(given.server.started).toEqual(started);
  expect((await given.database.deployments.get(before))?.drained_at).not.toBeNull();
});

test("a retry that was cut off after it took the server over goes on with it", async () => {
  const given = await createTestDeployer();
  await givenAnAbortedRollout(given);
  const started = [...given.server.started];
  const lost = new TypeError("the process was killed");
  given.wire.failStep("start_server", { times: 1, when: "after", error: lost });
  const request = { deployment_action: "retry", endpoint_name: ENDPOINT, rollout_reason: "go on" };
  const waiting = await errorOf(given.agent.execute(request));
  await approve(given, String(waiting.details["operation_id"]));
  await expect(given.agent.execute(request)).rejects.toThrow();
  given.passTime({ minutes: 1 });
  const answer = await given.agent.execute(request);
  expect(given.server.started).toEqual(started);
  expect(await given.server.list()).toContain(answer.active_deployment_id);
});
