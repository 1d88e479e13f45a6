import { expect, test } from "vitest";
import {
  act,
  anotherProcess,
  deploy,
  ENDPOINT,
  errorOf,
  EXPERIMENT,
  givenDeployer,
  givenReadyForProduction,
  promoteWithApproval,
  questionOf,
} from "../../../support/given/given_deployer.ts";
import {
  control,
  controlWithApproval,
  eventsOf,
  type GivenRollout,
  givenRollout,
  look,
  rollout,
  rolloutOf,
  stageOf,
  weights,
} from "../../../support/given/given_rollout.ts";

test("a paused rollout takes no step, says who paused it and why, and goes on when it is resumed", async () => {
  const given = await givenRollout();
  const state = await control(given, "pause", "the night shift wants quiet");
  expect(state.deployment_manifest?.rollout).toMatchObject({ status: "paused", step_index: 0 });
  await look(given);
  expect(await weights(given)).toEqual({ [given.old]: 90, [given.candidate]: 10 });
  expect(await rolloutOf(given)).toMatchObject({
    status: "paused",
    pause: { by: "ana", reason: "the night shift wants quiet" },
  });
  await control(given, "resume", "good morning");
  expect(await rolloutOf(given)).toMatchObject({ status: "running", pause: null });
  await look(given);
  expect(await weights(given)).toEqual({ [given.old]: 50, [given.candidate]: 50 });
  expect((await eventsOf(given)).slice(1)).toEqual([
    "rollout_paused by ana: the night shift wants quiet",
    "rollout_resumed by ana: good morning",
  ]);
});

test("the time that a rollout was paused for does not count as time that its step was watched", async () => {
  const given = await givenRollout();
  await control(given, "pause");
  await given.world.sql(
    `update ml_rollouts set step_started_at = step_started_at - interval '70 minutes',
       pause = jsonb_set(pause, '{since}', to_jsonb((pause ->> 'since')::timestamptz - interval '1 hour'))`,
  );
  const before = await rolloutOf(given);
  await control(given, "resume");
  const after = await rolloutOf(given);
  const shift = Date.parse(after.step_started_at) - Date.parse(before.step_started_at);
  expect(Math.floor(shift / 3_600_000)).toBe(1);
});

test("what is asked for twice is done once, and the second answer says so", async () => {
  const given = await givenRollout();
  await control(given, "pause", "first");
  const again = await control(given, "pause", "second");
  expect(again.warnings?.join()).toMatch(/It is paused since .* by ana: first/);
  expect(await rolloutOf(given)).toMatchObject({ pause: { reason: "first" } });
  await control(given, "abort");
  expect((await control(given, "abort", "again")).warnings?.join()).toContain("It was aborted");
  expect((await errorOf(control(given, "resume"))).message).toContain("is aborted and cannot be resumed");
});

test("a step that is under way when the pause comes is taken back", async () => {
  const given = await givenRollout();
  const hold = given.wire.hold("journal.finish");
  const looking = look(given);
  await hold.reached;
  await control(anotherProcess(given), "pause");
  hold.release();
  await looking;
  expect(await rolloutOf(given)).toMatchObject({ status: "paused", step_index: 0 });
  expect(await weights(given)).toEqual({ [given.old]: 90, [given.candidate]: 10 });
  const observed = await given.router.observe(ENDPOINT, { signal: AbortSignal.timeout(120_000) });
  expect(observed?.weights).toEqual({ [given.old]: 90, [given.candidate]: 10 });
});

test("an abort takes all traffic back at once, whoever holds the endpoint, and the stages with it", async () => {
  const given = await givenRollout();
  const oldVersion = (await given.db.deployments.get(given.old))?.model_version_id ?? "";
  await given.db.leases.acquire(ENDPOINT, { ttl_seconds: 600, preempt: false });
  const state = await control(anotherProcess(given), "abort", "wrong week");
  expect(state.rollback_successful).toBe(true);
  expect(await weights(given)).toEqual({ [given.old]: 100 });
  expect(await rolloutOf(given)).toMatchObject({ status: "aborted", next_tick_at: null });
  expect(await given.db.deployments.get(given.candidate)).toMatchObject({
    status: "rolled_back",
    rollback_reason: "wrong week",
  });
  expect(await stageOf(given, given.version)).toBe("archived");
  expect(await stageOf(given, oldVersion)).toBe("production");
  expect((await eventsOf(given)).at(-1)).toBe("rollout_aborted by ana: wrong week");
});

test("all traffic at once asks for an approval, and completes the rollout", async () => {
  const given = await givenRollout();
  const answer = await controlWithApproval(given, "promote_now");
  expect(answer.deployment_manifest?.rollout).toMatchObject({ status: "completed", step_index: 2 });
  expect(await weights(given)).toEqual({ [given.candidate]: 100 });
  expect(await given.db.deployments.get(given.candidate)).toMatchObject({ status: "active" });
  expect(await given.db.deployments.get(given.old)).toMatchObject({ status: "draining" });
  expect((await eventsOf(given)).at(-1)).toBe("rollout_promoted by ana: it looks good");
});

async function lookAtAll(given: GivenRollout): Promise<void> {
  const due = "update ml_rollouts set next_tick_at = clock_timestamp() where next_tick_at is not null";
  await given.world.sql(due);
  await given.worker.tick();
}

test("what got all traffic at once is watched while the old version is warm, and goes back when it turns bad", async () => {
  const given = await givenRollout();
  await look(given);
  await controlWithApproval(given, "promote_now");
  const fail = async () => {
    given.router.sendTraffic(ENDPOINT, 100, { [given.candidate]: { error_rate: 1 } });
    await lookAtAll(given);
  };
  await fail();
  expect(await weights(given)).toEqual({ [given.old]: 50, [given.candidate]: 50 });
  await lookAtAll(given);
  await fail();
  expect(await weights(given)).toEqual({ [given.old]: 100 });
  expect(await rolloutOf(given)).toMatchObject({ status: "rolled_back" });
  expect((await given.db.deployments.get(given.candidate))?.rollback_reason).toContain(
    "in the retention period",
  );
});

test("a dead candidate is given no traffic at once", async () => {
  const given = await givenRollout();
  given.server.crash(given.candidate);
  expect((await errorOf(control(given, "promote_now"))).message).toContain("does not answer");
});

test("a candidate that the judge finds bad gets no traffic at once, though nobody has looked since", async () => {
  const given = await givenRollout();
  given.router.sendTraffic(ENDPOINT, 1000, { [given.candidate]: { error_rate: 1 } });
  const error = await errorOf(control(given, "promote_now"));
  expect(error.code).toBe("conflict");
  expect(error.message).toContain("the candidate fails more often, beyond doubt at 0.01");
  expect(await weights(given)).toMatchObject({ [given.candidate]: 10 });
});

test("who approves all traffic at once reads what the judge sees by now", async () => {
  const given = await givenRollout();
  given.router.sendTraffic(ENDPOINT, 1000);
  const { notes, evidence } = questionOf(await control(given, "promote_now"));
  expect(notes[0]).toMatch(/^What the judge has seen: .*candidate failed 0 of 100 \(0\.00 %\).*[^.]\.$/);
  expect(evidence).toMatchObject({ rollout: { verdict: { outcome: "pass" } } });
});

test("an aborted rollout is retried from its first step, with an approval of its own", async () => {
  const given = await givenRollout();
  const oldVersion = (await given.db.deployments.get(given.old))?.model_version_id ?? "";
  await look(given);
  await control(given, "abort");
  const answer = await controlWithApproval(given, "retry");
  const again = answer.deployment_manifest ?? expect.fail("nothing was deployed");
  expect(again.deployment_id).not.toBe(given.candidate);
  expect(again.rollout).toMatchObject({ status: "running", step_index: 0, steps: rollout.steps });
  expect(await weights(given)).toEqual({ [given.old]: 90, [again.deployment_id]: 10 });
  expect(await stageOf(given, given.version)).toBe("production");
  expect(await stageOf(given, oldVersion)).toBe("archived");
  expect((await eventsOf(given)).at(-1)).toBe(
    `rollout_started by ana: retry of ${given.rolloutId}: it looks good`,
  );
});

test("a rollout is not retried while it is open; over a version that came later it is, by an approval", async () => {
  const given = await givenRollout();
  expect((await errorOf(control(given, "retry"))).message).toContain("wait for its end");
  await control(given, "abort");
  const newer = await givenReadyForProduction(given, "run3");
  await promoteWithApproval(given, newer);
  await controlWithApproval(given, "retry");
  expect(await stageOf(given, given.version)).toBe("production");
  expect(await stageOf(given, newer)).toBe("archived");
});

test("a newer version waits for the rollout, or ends it where the policy says so", async () => {
  const given = await givenRollout();
  const newer = await givenReadyForProduction(given, "run3");
  const request = {
    deployment_action: "promote",
    model_version_id: newer,
    target_stage: "production",
  } as const;
  expect((await errorOf(given.agent.execute(request))).message).toContain("wait for its end");

  const { policy_id: _, ...policy } = await given.db.experiments.getGatePolicy(EXPERIMENT);
  await given.db.experiments.setGatePolicy(EXPERIMENT, { ...policy, during_rollout: "supersede" }, "ana");
  const record = await promoteWithApproval(given, newer);
  expect(record.version_record?.current_stage).toBe("production");
  expect(await weights(given)).toEqual({ [given.old]: 100 });
  expect(await rolloutOf(given)).toMatchObject({ status: "aborted" });
  expect(await stageOf(given, given.version)).toBe("archived");
  expect((await eventsOf(given)).at(-1)).toBe(`rollout_aborted by ana: superseded by ${newer}`);
  const next = await deploy(given, newer, "production", { rollout });
  expect(await weights(given)).toEqual({ [given.old]: 90, [next.deployment_id]: 10 });
});

test("a control that names no rollout is refused by what it lacks", async () => {
  const given = await givenDeployer();
  const lost = await errorOf(act(given, "pause", { rollout_reason: "which?" }));
  expect(lost).toMatchObject({ code: "invalid_request" });
  expect(lost.message).toContain("name the rollout, or its endpoint");
  expect((await errorOf(control(given, "abort"))).code).toBe("not_found");
  expect((await errorOf(act(given, "halt", { rollout_reason: "stop" }))).name).toBe(
    "InvalidDeploymentActionError",
  );
});
