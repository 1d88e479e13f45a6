import { expect, test } from "vitest";
import { EngineRefusedError } from "../../../src/agents/model_deployer/errors.ts";
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
} from "../../../src/testing/index.ts";

const signal = new AbortController().signal;

/** Of two rollbacks that were cut off one was overtaken, and the other one failed for good. */
async function givenNoShare() {
  const given = await createTestDeployer();
  const oldest = await inProduction(given, "run1");
  const good = await readyForProduction(given, "run2");
  await promoteWithApproval(given, good);
  const { deployment_id: baseline } = await deployAtOnce(given, good);
  const version = await readyForProduction(given, "run3");
  await promoteWithApproval(given, version);
  const { deployment_id: candidate } = await deploy(given, version, "production");
  const ways = [{ rollback_to: good }, { rollback_to: oldest.version, condemned_because: "it was innocent" }];
  for (const way of ways) {
    given.wire.fail("router.apply", { times: 1 });
    const back = { endpoint_name: ENDPOINT, rollback_reason: "callers get nonsense", ...way };
    expect(await errorOf(act(given, "rollback", back))).toMatchObject({ code: "service_unavailable" });
  }
  given.passTime({ minutes: 1 });
  given.wire.fail("router.apply", { times: 1, error: new EngineRefusedError("no route to it") });
  const { resumed } = await given.worker.tick();
  expect(resumed.map(({ outcome }) => outcome)).toEqual(["undone", "undone"]);
  expect(await given.database.history.lastRollout(ENDPOINT)).toMatchObject({ status: "running" });
  return { given, baseline, candidate };
}

type Given = Awaited<ReturnType<typeof givenNoShare>>["given"];

const weightsOf = async (given: Given) => (await given.router.observe(ENDPOINT, { signal }))?.weights;

async function nextRound(given: Given) {
  given.passTime({ minutes: 1 });
  return given.worker.tick();
}

test("a rollout whose candidate lost its traffic to a rollback that failed waits for a person, and says so once", async () => {
  const { given, baseline, candidate } = await givenNoShare();
  const { problems } = await nextRound(given);
  const words = `${candidate} has no traffic since a rollback that failed`;
  expect(problems.join("\n")).toContain(words);
  expect((await nextRound(given)).problems).toEqual([]);
  const rollout = await given.database.history.lastRollout(ENDPOINT);
  expect(rollout).toMatchObject({ status: "paused", pause: { by: "the worker" } });
  expect(rollout?.pause?.reason).toContain(words);
  expect(await weightsOf(given)).toEqual({ [baseline]: 100 });
});

test("whoever resumes it gives the candidate its step's share again, and the step begins anew", async () => {
  const { given, baseline, candidate } = await givenNoShare();
  await nextRound(given);
  const resume = { endpoint_name: ENDPOINT, rollout_reason: "the rollback was a mistake" };
  const { deployment_manifest: manifest } = await act(given, "resume", resume);
  expect(manifest?.traffic.weights).toContainEqual({ deployment_id: candidate, weight: 10 });
  expect(await weightsOf(given)).toEqual({ [baseline]: 90, [candidate]: 10 });
  const rollout = await given.database.history.lastRollout(ENDPOINT);
  expect(rollout).toMatchObject({ status: "running", pause: null, step_index: 0 });
  expect((await nextRound(given)).problems).toEqual([]);
  expect(await given.database.history.lastRollout(ENDPOINT)).toMatchObject({ status: "running" });
});

test("whoever aborts it instead ends it where the traffic is", async () => {
  const { given, baseline } = await givenNoShare();
  await nextRound(given);
  await act(given, "abort", { endpoint_name: ENDPOINT, rollout_reason: "it is bad" });
  expect(await given.database.history.lastRollout(ENDPOINT)).toMatchObject({ status: "aborted" });
  expect(await weightsOf(given)).toEqual({ [baseline]: 100 });
  expect((await nextRound(given)).problems).toEqual([]);
});

test("whoever is killed between the database and the router while giving it back, a worker brings it to its end", async () => {
  const { given, baseline, candidate } = await givenNoShare();
  await nextRound(given);
  given.wire.fail("router.apply", { times: 1 });
  const resume = { endpoint_name: ENDPOINT, rollout_reason: "the rollback was a mistake" };
  expect(await errorOf(act(given, "resume", resume))).toMatchObject({ code: "service_unavailable" });
  expect(await weightsOf(given)).toEqual({ [baseline]: 100 });
  expect((await nextRound(given)).resumed).toMatchObject([{ outcome: "finished" }]);
  expect(await weightsOf(given)).toEqual({ [baseline]: 90, [candidate]: 10 });
  expect(await given.database.history.lastRollout(ENDPOINT)).toMatchObject({
    status: "running",
    pause: null,
  });
});
