import { expect, test } from "vitest";
import {
  act,
  approve,
  createTestDeployer,
  ENDPOINT,
  errorOf,
  inProduction,
  promoteState,
  questionOf,
  readyForProduction,
} from "../../../src/testing/index.ts";

const toProduction = (version: string) =>
  promoteState({ model_version_id: version, target_stage: "production", promotion_reason: "it is good" });

test("what nobody has approved in 60 days does not go to production when somebody approves it then", async () => {
  const deployer = await createTestDeployer();
  const version = await readyForProduction(deployer, "run1");
  const { details } = await errorOf(deployer.agent.execute(toProduction(version)));
  const operation = String(details["operation_id"]);
  deployer.passTime({ days: 60 });
  const late = await errorOf(approve(deployer, operation));
  expect(late.code).toBe("invalid_approval");
  expect(late.message).toMatch(/has waited for an approval until .* has expired; ask for it again/);
  expect(late.next).toMatchObject([{ action: "promote", request: { model_version_id: version } }]);
  const refused = await errorOf(deployer.agent.execute(toProduction(version)));
  expect(refused).toMatchObject({ code: "invalid_approval", details: { operation_id: operation } });
  expect(await deployer.database.operations.get(operation)).toMatchObject({ status: "refused" });
  expect((await deployer.database.modelVersions.get(version))?.stage).toBe("shadow");
  const anew = await errorOf(deployer.agent.execute(toProduction(version)));
  expect(anew.code).toBe("approval_required");
  expect(anew.details["operation_id"]).not.toBe(operation);
});

test("a worker ends what has waited for too long, says so and has it remembered, once", async () => {
  const deployer = await createTestDeployer({ settings: { approval_wait_seconds: 3600 } });
  const version = await readyForProduction(deployer, "run1");
  const { details } = await errorOf(deployer.agent.execute(toProduction(version)));
  const operation_id = String(details["operation_id"]);
  deployer.passTime({ minutes: 59 });
  expect((await deployer.worker.tick()).resumed).toEqual([]);
  deployer.passTime({ minutes: 1 });
  const { resumed, problems } = await deployer.worker.tick();
  expect(problems).toEqual([]);
  expect(resumed).toMatchObject([{ operation_id, action: "promote", outcome: "refused" }]);
  expect((await deployer.worker.tick()).resumed).toEqual([]);
  const filter = { text: "has expired", limit: 5 };
  const remembered = await deployer.episodicMemory.recent(filter, { signal: AbortSignal.timeout(120_000) });
  expect(remembered).toMatchObject([{ event_subtype: "refusal" }]);
  expect(await errorOf(approve(deployer, operation_id))).toMatchObject({ code: "invalid_approval" });
});

test("what was approved in time is carried out, though its time of waiting is over by then", async () => {
  const deployer = await createTestDeployer();
  const version = await readyForProduction(deployer, "run1");
  const { details } = await errorOf(deployer.agent.execute(toProduction(version)));
  deployer.passTime({ days: 13, hours: 23 });
  await approve(deployer, String(details["operation_id"]));
  deployer.passTime({ hours: 2 });
  expect((await deployer.worker.tick()).resumed).toEqual([]);
  await deployer.agent.execute(toProduction(version));
  expect((await deployer.database.modelVersions.get(version))?.stage).toBe("production");
});

test("an approval for a rollout that is over is refused, and says what can be approved instead", async () => {
  const deployer = await createTestDeployer();
  await inProduction(deployer, "run1");
  await inProduction(deployer, "run2");
  const question = questionOf(
    await act(deployer, "promote_now", { endpoint_name: ENDPOINT, rollout_reason: "hurry" }),
  );
  await act(deployer, "abort", { endpoint_name: ENDPOINT, rollout_reason: "not well" });
  const useless = await errorOf(approve(deployer, question.operation_id));
  expect(useless.code).toBe("invalid_approval");
  expect(useless.message).toMatch(/planned for generation \d+ of its endpoint, which is at \d+ by now/);
  const asked = { deployment_action: "promote_now", rollout_reason: "hurry" };
  expect(useless.next).toMatchObject([{ action: "promote_now", request: asked }]);
});
