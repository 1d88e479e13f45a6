import { expect, test } from "vitest";
import {
  createTestDeployer,
  deploy,
  ENDPOINT,
  EXPERIMENT,
  inProduction,
  promoteWithApproval,
  readyForProduction,
  type TestDeployer,
} from "../../../src/testing/index.ts";

const signal = new AbortController().signal;
const STEPS = [10, 50, 100].map((weight) => ({
  weight,
  bake_seconds: weight === 100 ? 0 : 3600,
}));

/** Version 1 serves production; version 2, its fix, may. */
async function givenAFix(given: TestDeployer) {
  const { deployment: baseline, manifest } = await inProduction(given, "run1");
  const version = await readyForProduction(given, "run2");
  await promoteWithApproval(given, version);
  return { baseline, bento: manifest.bento_tag, version };
}

/** The fix has its first 10 %. */
async function givenAFixAtTenPercent(given: TestDeployer) {
  const { version, ...old } = await givenAFix(given);
  const { deployment_id: candidate } = await deploy(given, version, "production", {
    rollout: { steps: STEPS },
  });
  await given.worker.tick();
  return { ...old, candidate };
}

/** Its process is gone, and none comes up from its bento. */
function dieForGood(given: TestDeployer, { baseline, bento }: { baseline: string; bento: string }) {
  given.server.crash(baseline);
  given.server.breakModel(bento, "its file is damaged");
}

/** The worker's problems while callers ask, the baseline's in vain. */
async function lookFor(
  given: TestDeployer,
  seconds: number,
  failing: Record<string, number>,
): Promise<string> {
  const behaviours = Object.fromEntries(
    Object.entries(failing).map(([id, rate]) => [id, { error_rate: rate }]),
  );
  let said = "";
  for (let passed = 0; passed < seconds; passed += 5) {
    given.passTime({ seconds: 5 });
    given.router.sendTraffic(ENDPOINT, 100, behaviours);
    said += (await given.worker.tick()).problems.join("\n");
    if (passed % 30 === 0) await given.capabilities.reconciler.reconcile({ signal });
  }
  return said;
}

const weights = async (given: TestDeployer) => (await given.database.endpoints.get(ENDPOINT))?.weights;
const rolloutOf = async (given: TestDeployer) =>
  (await given.database.history.lastRollout(ENDPOINT)) ?? expect.fail("no rollout was begun");
const trafficReasons = async (given: TestDeployer) =>
  (await given.database.history.list(EXPERIMENT))
    .filter(({ kind }) => kind === "traffic")
    .map(({ reason }) => reason);

test("a fix goes on by its steps where its baseline is dead for good, judged by its own answers, and says so", async () => {
  const given = await createTestDeployer();
  const old = await givenAFixAtTenPercent(given);
  dieForGood(given, old);
  const said = await lookFor(given, 600, { [old.baseline]: 1 });
  expect(await weights(given)).toEqual({ [old.candidate]: 100 });
  const rollout = await rolloutOf(given);
  expect(rollout).toMatchObject({ status: "completed", verdict: { outcome: "pass" } });
  const why = `the baseline ${old.baseline} is dead, it could not be started 4 times in a row`;
  expect(said).toContain(why);
  const reasons = (await trafficReasons(given)).filter((reason) => reason.includes(why));
  expect(reasons.map((reason) => reason.match(/step \d/)?.[0])).toEqual(["step 2", "step 3"]);
});

test("nothing moves before the baseline was tried again in vain, and a look between the tries says when the next one is", async () => {
  const given = await createTestDeployer();
  const old = await givenAFixAtTenPercent(given);
  dieForGood(given, old);
  const said = await lookFor(given, 20, { [old.baseline]: 1 });
  expect(said).toContain("it could not be started 3 times in a row");
  expect(said).toContain("next try at");
  expect(await weights(given)).toEqual({ [old.baseline]: 90, [old.candidate]: 10 });
  expect((await rolloutOf(given)).verdict?.reason).not.toContain("judged alone");
});

test("the same where the bento is gone and can't be built again", async () => {
  const given = await createTestDeployer();
  const old = await givenAFixAtTenPercent(given);
  given.server.crash(old.baseline);
  given.packager.lose(old.bento);
  given.wire.fail("packager.packageModel", { times: 100 });
  await lookFor(given, 600, { [old.baseline]: 1 });
  expect(await weights(given)).toEqual({ [old.candidate]: 100 });
});

test("a fix that fails its callers gets no more of them, and goes back as soon as the baseline can be started", async () => {
  const given = await createTestDeployer();
  const old = await givenAFixAtTenPercent(given);
  dieForGood(given, old);
  const said = await lookFor(given, 300, { [old.baseline]: 1, [old.candidate]: 0.5 });
  expect(await weights(given)).toEqual({ [old.baseline]: 90, [old.candidate]: 10 });
  expect(said).toContain("nothing is left to go back to");
  given.server.mendModel(old.bento);
  await lookFor(given, 120, { [old.candidate]: 0.5 });
  expect(await weights(given)).toEqual({ [old.baseline]: 100 });
});

test("a fix that has died as well goes nowhere before the baseline is there, which is tried ever more seldom", async () => {
  const given = await createTestDeployer();
  const old = await givenAFixAtTenPercent(given);
  dieForGood(given, old);
  given.server.crash(old.candidate);
  const callsBefore = given.wire.calls.length;
  for (let looks = 0; looks < 20; looks += 1) {
    given.passTime({ seconds: 1 });
    await given.worker.tick();
  }
  const tries = given.wire.calls.slice(callsBefore).filter((call) => call === "server.start");
  // At once, and 2, 4 and 8 s after a failure.
  expect(tries).toHaveLength(4);
  expect(await weights(given)).toEqual({ [old.baseline]: 90, [old.candidate]: 10 });
});

test("without samples of its own it takes no step, however long the baseline is dead, and says what would", async () => {
  const given = await createTestDeployer();
  const old = await givenAFixAtTenPercent(given);
  dieForGood(given, old);
  let said = "";
  for (let looks = 0; looks < 100; looks += 1) {
    given.passTime({ seconds: 60 });
    said = (await given.worker.tick()).problems.join("\n");
  }
  expect(said).toMatch(/waits for answers of its own \(.*promote-now/);
  expect(await weights(given)).toEqual({ [old.baseline]: 90, [old.candidate]: 10 });
  expect(await rolloutOf(given)).toMatchObject({ status: "running" });
});

test("a baseline that comes back in time is judged against again, and what nobody answered counts for neither", async () => {
  const given = await createTestDeployer();
  const old = await givenAFixAtTenPercent(given);
  dieForGood(given, old);
  await lookFor(given, 10, { [old.baseline]: 1 });
  given.server.mendModel(old.bento);
  await lookFor(given, 60, {});
  const { judge_state, verdict } = await rolloutOf(given);
  expect(await given.server.observe(old.baseline, { signal })).toMatchObject({ state: "ready" });
  expect(judge_state.baseline.errors).toBe(0);
  expect(verdict?.reason).not.toContain("judged alone");
});

test("a fix of a production that is dead already is rolled out to its end, and the dead one loses its share", async () => {
  const given = await createTestDeployer();
  const { version, ...old } = await givenAFix(given);
  dieForGood(given, old);
  const manifest = await deploy(given, version, "production", { rollout: { steps: STEPS } });
  expect(await weights(given)).toEqual({ [old.baseline]: 90, [manifest.deployment_id]: 10 });
  await lookFor(given, 600, { [old.baseline]: 1 });
  expect(await weights(given)).toEqual({ [manifest.deployment_id]: 100 });
});

test("where the fix has died as well, it is started again, as nothing else answers", async () => {
  const given = await createTestDeployer();
  const old = await givenAFixAtTenPercent(given);
  dieForGood(given, old);
  await lookFor(given, 120, { [old.baseline]: 1 });
  given.server.crash(old.candidate);
  await lookFor(given, 120, { [old.baseline]: 1, [old.candidate]: 1 });
  expect(await given.server.observe(old.candidate, { signal })).toMatchObject({ state: "ready" });
});

test("a person's pause holds it all the same", async () => {
  const given = await createTestDeployer();
  const old = await givenAFixAtTenPercent(given);
  await given.agent.execute({
    deployment_action: "pause",
    endpoint_name: ENDPOINT,
    rollout_reason: "a look first",
  });
  dieForGood(given, old);
  await lookFor(given, 300, { [old.baseline]: 1 });
  expect(await weights(given)).toEqual({ [old.baseline]: 90, [old.candidate]: 10 });
});

test("a shadow that misses a probe stays on the route that production moves on; a dead one does not", async () => {
  for (const [what, mirrored] of [
    ["hang", true],
    ["crash", false],
  ] as const) {
    const given = await createTestDeployer();
    const { baseline, version } = await givenAFix(given);
    await readyForProduction(given, "run3");
    const shadow = (await given.database.endpoints.get(ENDPOINT))?.mirror_deployment_id ?? "none";
    given.server[what](shadow);
    const manifest = await deploy(given, version, "production", { rollout: { steps: STEPS } });
    expect(await given.router.observe(ENDPOINT, { signal })).toMatchObject({
      weights: { [baseline]: 90, [manifest.deployment_id]: 10 },
      mirror_deployment_id: mirrored ? shadow : null,
    });
  }
});
