import { expect, test } from "vitest";
import { EndpointCreationError } from "../../../../src/agents/model_deployer/errors.ts";
import { anotherProcess, errorOf } from "../../../support/given/given_deployer.ts";
import { control, givenRollout, look, rolloutOf, weights } from "../../../support/given/given_rollout.ts";

test("a paused rollout can be aborted, and stays paused when its rollback fails", async () => {
  const given = await givenRollout();
  await control(given, "pause");
  given.server.crash(given.old);
  given.wire.fail("server.start", { error: new EndpointCreationError("no memory is left"), times: 1 });
  await errorOf(control(given, "abort"));
  expect(await rolloutOf(given)).toMatchObject({ status: "paused", pause: { by: "ana" } });
});

test.each([
  ["that was running goes on", null, "running"],
  [
    "that somebody had paused stays paused",
    { by: "ana", reason: "quiet", since: "2026-03-01T12:00:00Z" },
    "paused",
  ],
])("a rollout %s when a rollback fails after another one was interrupted", async (_what, pause, status) => {
  const given = await givenRollout();
  const held = "update ml_rollouts set status = 'paused', next_tick_at = null, pause = $1";
  await given.world.sql(held, [pause === null ? null : JSON.stringify(pause)]);
  expect((await errorOf(control(given, "resume"))).message).toContain("is being rolled back");
  given.server.crash(given.old);
  given.wire.fail("server.start", { error: new EndpointCreationError("no memory is left"), times: 1 });
  await errorOf(control(given, "abort"));
  const after = await rolloutOf(given);
  expect(after).toMatchObject({ status, pause });
  expect(after.next_tick_at).not.toBeNull();
  expect((await look(given)).problems.join()).toContain("is started again");
  await look(given);
  const candidate = status === "running" ? 50 : 10;
  expect(await weights(given)).toEqual({ [given.old]: 100 - candidate, [given.candidate]: candidate });
});

test("a look that ends while a paused rollout is rolled back does not open it to a resume", async () => {
  const given = await givenRollout();
  await control(given, "pause");
  const other = anotherProcess(given);
  const seen = other.wire.hold("router.figures");
  await given.world.sql("update ml_rollouts set next_tick_at = clock_timestamp()");
  const looking = other.worker.tick();
  await seen.reached;
  const applying = given.wire.hold("router.apply");
  const abort = control(given, "abort");
  await applying.reached;
  seen.release();
  await looking;
  expect((await errorOf(control(anotherProcess(given), "resume"))).message).toContain("is being rolled back");
  applying.release();
  await abort;
  expect(await weights(given)).toEqual({ [given.old]: 100 });
});

test("a rollback that was interrupted ends, though somebody else has aborted the rollout since", async () => {
  const given = await givenRollout();
  given.wire.fail("router.apply", { times: 1 });
  const request = {
    deployment_action: "rollback",
    current_deployment_id: given.candidate,
    rollback_reason: "wrong scores",
  };
  const left = await errorOf(given.agent.execute(request));
  expect(left).toMatchObject({ retryable: true });
  await control(anotherProcess(given), "abort");
  await look(given);
  const unfinished = "select operation_id from ml_operations where status in ('planned', 'carrying_out')";
  expect(await given.world.sql(unfinished)).toEqual([]);
  expect(await rolloutOf(given)).toMatchObject({ status: "aborted", next_tick_at: null });
  expect(await weights(given)).toEqual({ [given.old]: 100 });
});
