import { expect, test } from "vitest";
import {
  act,
  deploy,
  ENDPOINT,
  errorOf,
  inProduction,
  promote,
  promoteWithApproval,
  readyForProduction,
  register,
  type TestDeployer,
} from "../../../src/testing/index.ts";
import { modelDeployerRequestOf } from "../../support/decisions/followed.ts";
import { givenServed, rollBack, weightsOf } from "../../support/served.ts";
import { processBeside } from "../../walk/world.ts";

const signal = new AbortController().signal;
const STEPS = { steps: [10, 100].map((weight) => ({ weight, bake_seconds: 60 })) };

async function expectServes(given: TestDeployer, deployment: string): Promise<void> {
  expect(await weightsOf(given)).toEqual({ [deployment]: 100 });
  expect(await given.router.observe(ENDPOINT, { signal })).toMatchObject({ weights: { [deployment]: 100 } });
  expect(await given.database.deployments.get(deployment)).toMatchObject({ status: "active" });
}

/** The first serves again by the database, and its rollback's process has ended; nobody has carried that on yet. */
async function givenCutOff(call: string) {
  const { given, first, second } = await givenServed("run1", "run2");
  const third = await readyForProduction(given, "run3");
  const fourth = await register(given, "run4");
  await promote(given, fourth, "staging");
  await promote(given, fourth, "shadow");
  given.wire.fail(call, { times: 1 });
  expect(await errorOf(rollBack(given))).toMatchObject({ code: "service_unavailable", retryable: true });
  return { given, first, second, third, fourth };
}

type CutOff = Awaited<ReturnType<typeof givenCutOff>>;

test.each(["router.apply", "journal.finish"])(
  "whatever others ask for while a rollback lies cut off at %s, it ends as a rollback and the bad one gets nothing back",
  async (call) => {
    const cut = await givenCutOff(call);
    const asked: Record<string, (cut: CutOff) => Promise<unknown>> = {
      "the next version to production": ({ given, third }) => promoteWithApproval(given, third),
      "the bad one archived": ({ given, second }) => promoteWithApproval(given, second.version, "archived"),
      "the bad one's server removed": ({ given, second }) =>
        act(given, "remove", { deployment_id: second.deployment, removal_reason: "it is bad" }),
      "a shadow deployed": ({ given, fourth }) => deploy(given, fourth, "shadow"),
      "a server restarted": ({ given, first }) =>
        act(given, "restart", { deployment_id: first.deployment, restart_reason: "it looks slow" }),
    };
    for (const [what, ask] of Object.entries(asked)) {
      const given = await cut.given.copy();
      const refused = await errorOf(ask({ ...cut, given }));
      // The rollback archives the bad one itself, so that nobody can any more.
      const retryable = what !== "the bad one archived";
      expect(refused, what).toMatchObject({ code: "conflict", retryable });
      expect(refused.next, what).toHaveLength(1);
      given.passTime({ minutes: 1 });
      await given.worker.tick();
      await expectServes(given, cut.first.deployment);
      expect(await given.database.deployments.get(cut.second.deployment), what).toMatchObject({
        status: "rolled_back",
      });
      expect(await given.database.modelVersions.get(cut.first.version)).toMatchObject({
        stage: "production",
      });
    }
  },
);

test("once the rollback has ended, what was refused beside it goes through by the approval that it had", async () => {
  const { given, first, third } = await givenCutOff("journal.finish");
  await errorOf(promoteWithApproval(given, third));
  given.passTime({ minutes: 1 });
  await given.worker.tick();
  await given.agent.execute({
    deployment_action: "promote",
    model_version_id: third,
    target_stage: "production",
    promotion_reason: "it has proved itself",
  });
  expect(await given.database.modelVersions.get(third)).toMatchObject({ stage: "production" });
  await expectServes(given, first.deployment);
});

test("a second operator who sees the same outage does not undo the first one's way back, however close they are", async () => {
  for (const seconds of [0, 20, 299]) {
    const { given, second } = await givenServed("run1", "run2");
    await promoteWithApproval(given, second.version, "archived");
    await rollBack(given);
    given.passTime({ seconds });
    const other = processBeside(given).agent;
    const asked = { deployment_action: "rollback", endpoint_name: ENDPOINT, rollback_reason: "503 here" };
    const refused = await errorOf(other.execute(asked));
    expect(refused).toMatchObject({ code: "conflict", retryable: true, next: [{ who: "person" }] });
    expect(refused.message).toMatch(/was brought back on e2i_remission \d+ s ago by ana/);
    await expectServes(given, second.deployment);
    const left = (Date.parse(refused.not_before ?? "") - Date.parse(await given.database.clock.now())) / 1000;
    given.passTime({ seconds: left });
    await other.execute(asked);
    expect(await weightsOf(given)).not.toHaveProperty(second.deployment);
  }
});

test("of two who bring production back at the same moment neither takes back what the other brought", async () => {
  const { given, second } = await givenServed("run1", "run2");
  await promoteWithApproval(given, second.version, "archived");
  const other = processBeside(given).agent;
  const asked = { deployment_action: "rollback", endpoint_name: ENDPOINT, rollback_reason: "503 here" };
  await Promise.allSettled([rollBack(given), other.execute(asked)]);
  await expectServes(given, second.deployment);
  expect(await errorOf(rollBack(given, { rollback_reason: "still 503" }))).toMatchObject({
    code: "conflict",
  });
  await expectServes(given, second.deployment);
});

/** The judge's or a person's rollback of a rollout, cut off before the router heard of it; callers still get the bad one. */
async function givenGoingBack({ isPaused = false } = {}) {
  const { given, first } = await givenServed("run1");
  const second = await inProduction(given, "run2", { rollout: STEPS });
  if (isPaused) await act(given, "pause", { endpoint_name: ENDPOINT, rollout_reason: "lunch" });
  given.wire.fail("router.apply", { times: 1 });
  await errorOf(rollBack(given));
  return { given, first, second };
}

test("the baseline of a rollout that is half way back comes back by its name, and the rollout ends with that", async () => {
  for (const isPaused of [false, true]) {
    const { given, first, second } = await givenGoingBack({ isPaused });
    await rollBack(given, { rollback_to: first.version, rollback_reason: "another operator sees it too" });
    await expectServes(given, first.deployment);
    expect(await given.database.rollouts.getOpen(ENDPOINT)).toBeNull();
    expect(await given.database.deployments.get(second.deployment)).toMatchObject({ status: "rolled_back" });
    given.passTime({ minutes: 1 });
    await given.worker.tick();
    await expectServes(given, first.deployment);
  }
});

test("whatever is asked of a rollout that goes back names no way forward that is shut, whoever had paused it before", async () => {
  for (const isPaused of [false, true]) {
    const { given, second } = await givenGoingBack({ isPaused });
    for (const control of ["pause", "resume", "promote_now"]) {
      const asked = { endpoint_name: ENDPOINT, rollout_reason: "somebody asked" };
      const refused = await errorOf(act(await given.copy(), control, asked));
      expect(refused, control).toMatchObject({ code: "conflict", retryable: false });
      expect(refused.next.map(({ action }) => action)).toEqual(["retry"]);
    }
    const retry = { endpoint_name: ENDPOINT, rollout_reason: "it was not its fault" };
    const waits = await errorOf(act(given, "retry", retry));
    expect(waits).toMatchObject({ code: "conflict", retryable: true });
    expect(waits.next.map(({ action }) => action)).toEqual(["rollback"]);
    const named = await errorOf(rollBack(await given.copy(), { rollback_to: second.deployment }));
    expect(named.message).toContain("is being rolled back at this moment. Say with condemned_because");
    await given.agent.execute(modelDeployerRequestOf(waits.next[0]));
    expect(await act(given, "retry", retry)).toHaveProperty("__interrupt__");
  }
});
