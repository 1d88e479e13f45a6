import { expect, test } from "vitest";
import {
  act,
  createTestDeployer,
  ENDPOINT,
  errorOf,
  inProduction,
  promote,
  promoteWithApproval,
  type Request,
  TestClock,
} from "../../../src/testing/index.ts";
import { modelDeployerRequestOf } from "../../support/decisions/followed.ts";
import { givenServed, rollBack, weightsOf } from "../../support/served.ts";

test("where the oldest was brought back by name and is bad too, what had replaced it comes back unasked", async () => {
  for (const isNamed of [false, true]) {
    const { given, first, second } = await givenServed("run1", "run2", "run3");
    await rollBack(given, { rollback_to: first.version });
    given.passTime({ minutes: 10 });
    await (isNamed
      ? act(given, "rollback", { current_deployment_id: first.deployment, rollback_reason: "bad as well" })
      : rollBack(given));
    expect(await weightsOf(given)).toEqual({ [second.deployment]: 100 });
    expect(await given.database.modelVersions.get(second.version)).toMatchObject({ stage: "production" });
  }
});

test("where nothing is left to go back to, no time is promised that would help", async () => {
  const { given, second } = await givenServed("run1", "run2");
  await rollBack(given);
  for (const minutes of [0, 10]) {
    given.passTime({ minutes });
    const refused = await errorOf(rollBack(given));
    expect(refused).toMatchObject({ code: "rollback_failed", retryable: false, not_before: null });
    expect(refused.message).toContain("nothing else has served e2i_remission that was not rolled back");
    expect(refused.next).toMatchObject([{ who: "person", request: { rollback_to: second.deployment } }]);
  }
});

test("what is being brought back is taken back after that only where something is behind it", async () => {
  for (const runs of [
    ["run1", "run2"],
    ["run1", "run2", "run3"],
  ]) {
    const { given, first, second } = await givenServed(...runs);
    given.wire.fail("router.apply", { times: 1 });
    await errorOf(rollBack(given));
    const back = (runs.length === 2 ? first : second).deployment;
    const asked = { current_deployment_id: back, rollback_reason: "that one is bad too" };
    const refused = await errorOf(act(given, "rollback", asked));
    expect(refused.retryable).toBe(runs.length === 3);
    if (refused.retryable) {
      expect(refused.message).toContain("is being brought back at this moment");
      await given.agent.execute(modelDeployerRequestOf(refused.next[0]));
    }
    given.passTime({ minutes: 1 });
    await given.worker.tick();
    if (refused.retryable) await act(given, "rollback", asked);
    else expect(await errorOf(act(given, "rollback", asked))).toMatchObject({ code: refused.code });
  }
});

test("one whose rollout was stopped, that served after that and was rolled back, is condemned like any other", async () => {
  const { given, first } = await givenServed("run1");
  const second = await inProduction(given, "run2");
  await act(given, "abort", { endpoint_name: ENDPOINT, rollout_reason: "not on a Friday" });
  const asked = { rollback_to: second.deployment };
  await rollBack(given, asked);
  await rollBack(given, { rollback_to: first.deployment, condemned_because: "it was good all the time" });
  expect(await weightsOf(given)).toEqual({ [first.deployment]: 100 });
  const refused = await errorOf(rollBack(given, asked));
  expect(refused).toMatchObject({ code: "rollback_failed", next: [{ who: "person" }] });
  expect(refused.message).toContain("Say with condemned_because why it may serve again");
  await rollBack(given, { ...asked, condemned_because: "the feature store was away" });
  expect(await weightsOf(given)).toEqual({ [second.deployment]: 100 });
});

test.each(["...", "   ", "-", "\u2026"])(
  "%j is no word that says why a condemned version may serve again",
  async (words) => {
    const { given, second } = await givenServed("run1", "run2");
    await rollBack(given);
    const asked = { rollback_to: second.deployment, condemned_because: words };
    const refused = await errorOf(rollBack(given, asked));
    expect(refused).toMatchObject({ code: "invalid_request", retryable: false });
    expect(refused.message).toContain("condemned_because: words of your own that say why");
    await rollBack(given, { ...asked, condemned_because: "無関係な障害でした" });
    expect(await weightsOf(given)).toEqual({ [second.deployment]: 100 });
  },
);

test("where the files of what served before are gone, the refusal names the one behind it, however it is asked for", async () => {
  const { given, first, second, third } = await givenServed("run1", "run2", "run3");
  given.passTime({ hours: 2 });
  await given.worker.tick();
  const tag = (await given.database.deployments.get(second.deployment))?.bento_tag ?? "";
  given.packager.lose(tag);
  given.registry.removeArtifacts("run2");
  const asked: Request[] = [{}, { endpoint_name: "", current_deployment_id: third.deployment }];
  for (const request of asked) {
    const refused = await errorOf(rollBack(given, request));
    expect(refused).toMatchObject({ code: "not_found", retryable: false });
    expect(refused.next).toMatchObject([{ action: "rollback", request: { rollback_to: first.deployment } }]);
    expect(await weightsOf(given)).toEqual({ [third.deployment]: 100 });
    const copy = await given.copy();
    await copy.agent.execute(modelDeployerRequestOf(refused.next[0]));
    expect(await weightsOf(copy)).toEqual({ [first.deployment]: 100 });
  }
});

test("a shadow's deployment is no way back: of what served the refusal names each way once, and what serves by its name", async () => {
  const { given, first, second } = await givenServed("run1", "run2");
  const shadowOf = async (version: string) =>
    (await given.database.deployments.listForVersion(version)).find(
      ({ target_stage }) => target_stage === "shadow",
    )?.deployment_id ?? "";
  const ended = await errorOf(rollBack(given, { rollback_to: await shadowOf(first.version) }));
  expect(ended.message).toContain("has never served production");
  const commands = ended.next.map(({ command }) => command);
  expect(new Set(commands).size).toBe(commands.length);
  expect(ended.next.map(({ action }) => action)).toEqual(["rollback", "register"]);
  const now = await errorOf(rollBack(given, { rollback_to: await shadowOf(second.version) }));
  expect(now.message).toContain(`its version ${second.version} does now, as ${second.deployment}`);
  expect(now.next.map(({ action }) => action)).toEqual(["rollback"]);
});

test("whoever archives the baseline of a rollout is told how it is at production again, and not that the candidate never served", async () => {
  const { given, first } = await givenServed("run1");
  const second = await inProduction(given, "run2");
  const refused = await errorOf(promote(given, first.version, "archived"));
  expect(refused.next.map(({ action }) => action)).toEqual(["abort", "register"]);
  expect(JSON.stringify(refused.next)).not.toContain("never deployed");
  await given.agent.execute(modelDeployerRequestOf(refused.next[0]));
  expect(await given.database.modelVersions.get(first.version)).toMatchObject({ stage: "production" });
  expect(await given.database.modelVersions.get(second.version)).toMatchObject({ stage: "archived" });
});

test("a key that came before with other words gives way to the same request without it", async () => {
  const { given, first, second } = await givenServed("run1", "run2", "run3");
  const keyed = { rollback_to: second.version, request_id: "night-1" };
  await rollBack(given, keyed);
  const refused = await errorOf(rollBack(given, { ...keyed, rollback_to: first.version }));
  expect(refused).toMatchObject({ code: "idempotency_key_reused", retryable: false });
  expect(refused.next).toMatchObject([{ action: "rollback", request: { rollback_to: first.version } }]);
  expect(refused.next[0]?.request).not.toHaveProperty("request_id");
  await given.agent.execute(modelDeployerRequestOf(refused.next[0]));
  expect(await weightsOf(given)).toEqual({ [first.deployment]: 100 });
});

test("a retry whose approval nobody gave in time names the request that asks for it again", async () => {
  const { given } = await givenServed("run1");
  const second = await inProduction(given, "run2");
  await act(given, "abort", { endpoint_name: ENDPOINT, rollout_reason: "not on a Friday" });
  const asked = {
    rollout_id: second.manifest.rollout?.rollout_id ?? "",
    rollout_reason: "it was not its fault",
  };
  const waits = await errorOf(given.agent.execute({ deployment_action: "retry", ...asked }));
  expect(waits.code).toBe("approval_required");
  given.passTime({ hours: 15 * 24 });
  await given.worker.tick();
  const expired = await given.database.operations.get(String(waits.details["operation_id"]));
  expect(expired).toMatchObject({ status: "refused", refusal: { code: "invalid_approval" } });
  expect(expired?.refusal?.next).toMatchObject([{ action: "retry", request: asked }]);
  const again = await errorOf(given.agent.execute(modelDeployerRequestOf(expired?.refusal?.next[0])));
  expect(again.code).toBe("approval_required");
});

test("production that was archived on the last day of a month comes back on the first of the next", async () => {
  for (const start of ["2027-12-30T22:00:00Z", "2028-02-27T22:00:00Z"]) {
    const given = await createTestDeployer({ clock: new TestClock(start) });
    const { version, deployment } = await inProduction(given, "run1");
    given.passTime({ hours: 25, minutes: 59 });
    await promoteWithApproval(given, version, "archived");
    given.passTime({ minutes: 2 });
    await given.worker.tick();
    await rollBack(given);
    expect(await weightsOf(given)).toEqual({ [deployment]: 100 });
  }
});
