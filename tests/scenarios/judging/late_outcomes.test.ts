import { expect, test } from "vitest";
import type { JudgeSettings } from "../../../src/agents/model_deployer/domain/evidence/judgement.ts";
import { recordOutcomes } from "../../../src/agents/model_deployer/collection/record_outcomes.ts";
import {
  createTestDeployer,
  deploy,
  ENDPOINT,
  errorOf,
  EXPERIMENT,
  inProduction,
  promote,
  promoteWithApproval,
  readyForProduction,
  register,
  type TestDeployer,
} from "../../../src/testing/index.ts";

type Asked = Partial<NonNullable<JudgeSettings["outcomes"]>>;

/** The old version serves, and the new one has half of the traffic; outcomes are compared by accuracy. */
async function givenARollout(weights: number[], asked: Asked = {}) {
  const given = await createTestDeployer();
  const { deployment: old } = await inProduction(given, "run1");
  const version = await readyForProduction(given, "run2");
  await promoteWithApproval(given, version);
  const steps = weights.map((weight) => ({ weight, bake_seconds: weight === 100 ? 0 : 3600 }));
  const outcomes = { measure: "accuracy", minimum_outcomes: 0, worse_by: 0.02, sample: 1, ...asked } as const;
  const rollout = { steps, judge: { outcomes } };
  const { deployment_id: candidate } = await deploy(given, version, "production", { rollout });
  given.passTime({ minutes: 1 });
  await given.worker.tick();
  return { given, old, candidate };
}

/** Both sides answer requests in turn, each with so many of ten wrong; they are told apart by their ids. */
async function whenAnswered(given: TestDeployer, wrong: Record<string, number>, name: string, count = 400) {
  const [first = "", second = ""] = Object.keys(wrong);
  const ids = Array.from({ length: count }, (_, index) => ({ id: `${name}-${index}`, index }));
  for (const { id, index } of ids) {
    const side = index % 2 === 0 ? first : second;
    const isWrong = Math.floor(index / 2) % 10 < (wrong[side] ?? 0);
    const line = { request_id: id, prediction: isWrong ? "no" : "yes", score: null };
    given.predictionLogs.write(side, { ...line, answered_at: given.clock.now() });
  }
  given.passTime({ seconds: 5 });
  await given.worker.tick();
  return ids.map(({ id }) => ({ request_id: id, outcome: "yes" }));
}

const tell = (given: TestDeployer, outcomes: Parameters<typeof recordOutcomes>[1]) =>
  recordOutcomes(given.database, outcomes, { by: "ana" });
async function whenLooked(given: TestDeployer, looks = 3) {
  for (let look = 0; look < looks; look += 1) {
    given.passTime({ seconds: 5 });
    await given.worker.tick();
  }
}
const traffic = async (given: TestDeployer) => (await given.database.endpoints.get(ENDPOINT))?.weights;
const rolloutOf = async (given: TestDeployer) =>
  (await given.database.history.lastRollout(ENDPOINT)) ?? expect.fail("nothing is rolled out");

test("a candidate that is wrong more often goes back as soon as that is told, and history says by how much", async () => {
  const { given, old, candidate } = await givenARollout([50, 100]);
  const outcomes = await whenAnswered(given, { [old]: 1, [candidate]: 4 }, "day1");
  await whenLooked(given);
  expect(await traffic(given)).toEqual({ [old]: 50, [candidate]: 50 });
  expect(await tell(given, outcomes)).toMatchObject({ recorded: 400 });
  await whenLooked(given);
  expect(await traffic(given)).toEqual({ [old]: 100 });
  const reasons = (await given.database.history.list(EXPERIMENT)).map(({ reason }) => reason);
  expect(reasons.join()).toMatch(
    /less often right.*60\.00 % right by 200 outcomes against 90\.00 % right by 200/,
  );
});

test("one that is as often right stays, however often its outcomes are told", async () => {
  const { given, old, candidate } = await givenARollout([50, 100]);
  const outcomes = await whenAnswered(given, { [old]: 3, [candidate]: 3 }, "day1");
  await tell(given, outcomes);
  await whenLooked(given);
  const { verdict } = await rolloutOf(given);
  expect(await tell(given, outcomes)).toMatchObject({ recorded: 0, repeated: 400 });
  await whenLooked(given);
  expect(await traffic(given)).toEqual({ [old]: 50, [candidate]: 50 });
  const signal = (await rolloutOf(given)).verdict?.signals.at(-1);
  expect(signal).toMatchObject({ signal: "outcomes", candidate: 0.3, baseline: 0.3 });
  expect(signal).toEqual(verdict?.signals.at(-1));
});

test("outcomes of the rollout's requests that come when the candidate has all traffic still send it back", async () => {
  const { given, old, candidate } = await givenARollout([50, 100]);
  const outcomes = await whenAnswered(given, { [old]: 1, [candidate]: 4 }, "day1");
  given.passTime({ minutes: 59 });
  for (let look = 0; look < 20; look += 1) {
    given.router.sendTraffic(ENDPOINT, 1000);
    await whenLooked(given, 1);
  }
  expect(await traffic(given)).toEqual({ [candidate]: 100 });
  await tell(given, outcomes);
  await whenLooked(given, 10);
  expect(await traffic(given)).toEqual({ [old]: 100 });
});

test("all traffic waits for the outcomes that the rollout asks for, and too few send nobody back", async () => {
  const { given, old, candidate } = await givenARollout([50, 100], { minimum_outcomes: 100 });
  for (let look = 0; look < 20; look += 1) {
    given.router.sendTraffic(ENDPOINT, 1000);
    given.passTime({ minutes: 10 });
    await given.worker.tick();
  }
  expect(await traffic(given)).toEqual({ [old]: 50, [candidate]: 50 });
  expect((await rolloutOf(given)).verdict).toMatchObject({ outcome: "inconclusive", lacks: "outcomes" });
  await tell(given, await whenAnswered(given, { [old]: 1, [candidate]: 1 }, "day1"));
  await whenLooked(given, 5);
  expect(await traffic(given)).toEqual({ [candidate]: 100 });
});

test("who repeats an id until the candidate has answered it makes no verdict: its first answer counts", async () => {
  const { given, old, candidate } = await givenARollout([50, 100]);
  const outcomes = await whenAnswered(given, { [old]: 3, [candidate]: 3 }, "day1");
  const again = outcomes.map(({ request_id }) => ({ request_id, prediction: "no", score: null }));
  given.predictionLogs.write(candidate, ...again.map((one) => ({ ...one, answered_at: given.clock.now() })));
  await whenLooked(given, 2);
  await tell(given, outcomes);
  await whenLooked(given);
  expect(await traffic(given)).toEqual({ [old]: 50, [candidate]: 50 });
  expect((await given.database.outcomes.reading(ENDPOINT)).repeated_ids).toBe(400);
});

test("logs that cannot be read hold up no look, and the verdict names them", async () => {
  const { given, old, candidate } = await givenARollout([50, 100]);
  given.wire.fail("predictionLogs.read");
  await whenLooked(given, 1);
  expect(await traffic(given)).toEqual({ [old]: 50, [candidate]: 50 });
  expect((await rolloutOf(given)).verdict?.reason).toContain(
    "Newer outcomes are not known: predictionLogs.read",
  );
});

async function givenAShadow(asked: Asked) {
  const given = await createTestDeployer();
  const { policy_id: _, ...policy } = await given.database.experiments.getGatePolicy(EXPERIMENT);
  const outcomes = { measure: "accuracy", minimum_outcomes: 0, worse_by: 0.02, sample: 1, ...asked } as const;
  await given.database.experiments.setGatePolicy(EXPERIMENT, { ...policy, judge: { outcomes } }, "ana");
  const { deployment: production } = await inProduction(given, "run1");
  const version = await register(given, "run2");
  await promote(given, version, "staging");
  await promote(given, version, "shadow");
  const { deployment_id: shadow } = await deploy(given, version, "shadow");
  given.router.sendTraffic(ENDPOINT, 1000);
  given.passTime({ hours: 25 });
  return { given, version, production, shadow };
}

/** Production and the shadow answer the same requests, of which the shadow has so many of ten wrong. */
async function whenMirrored(
  { given, production, shadow }: Awaited<ReturnType<typeof givenAShadow>>,
  wrong: number,
) {
  const ids = Array.from({ length: 100 }, (_, index) => `m${index}`);
  for (const [index, request_id] of ids.entries()) {
    const line = { request_id, score: null, answered_at: given.clock.now() };
    given.predictionLogs.write(production, { ...line, prediction: "yes" });
    given.predictionLogs.write(shadow, { ...line, prediction: index % 10 < wrong ? "no" : "yes" });
  }
  await whenLooked(given, 1);
  return ids.map((request_id) => ({ request_id, outcome: "yes" }));
}

test("the shadow gate waits for outcomes, and passes a shadow that is as often right", async () => {
  const shadow = await givenAShadow({ minimum_outcomes: 0 });
  const { given, version } = shadow;
  const { policy_id: _, ...policy } = await given.database.experiments.getGatePolicy(EXPERIMENT);
  const outcomes = { measure: "accuracy", minimum_outcomes: 50, worse_by: 0.02, sample: 1 } as const;
  await given.database.experiments.setGatePolicy(EXPERIMENT, { ...policy, judge: { outcomes } }, "ana");
  const told = await whenMirrored(shadow, 0);
  const refused = await errorOf(promote(given, version, "production"));
  expect(refused.message).toContain(
    "Outcomes have come for 0 requests that shadow and production both answered",
  );
  await tell(given, told);
  await whenLooked(given, 2);
  await promoteWithApproval(given, version);
  expect((await given.database.modelVersions.get(version))?.stage).toBe("production");
});

test("the shadow gate refuses a shadow that is less often right on the same requests, with the numbers", async () => {
  const shadow = await givenAShadow({});
  await tell(shadow.given, await whenMirrored(shadow, 3));
  await whenLooked(shadow.given, 2);
  const refused = await errorOf(promote(shadow.given, shadow.version, "production"));
  expect(refused).toMatchObject({ code: "production_criteria_not_met" });
  expect(refused.message).toMatch(/less often right than production on the same requests.*70\.00 % right/);
});

test.each([
  [[{ request_id: "", outcome: 1 }], /Outcome 1 is not valid, and none was kept/],
  [[{ request_id: "a", outcome: null }], /given \{"request_id":"a","outcome":null\}/],
  [[{ request_id: "a", outcome: 1, label: 1 }], /label/],
  [["a"], /Outcome 1 is not valid/],
  [[{ request_id: "a", outcome: Number.NaN }], /Outcome 1 is not valid, and none was kept/],
  [[{ request_id: "a", outcome: Infinity }], /Outcome 1 is not valid, and none was kept/],
  [[{ request_id: "a", outcome: [1, Number.NaN] }], /Outcome 1 is not valid, and none was kept/],
  [[{ request_id: "a".repeat(201), outcome: 1 }], /Outcome 1 is not valid/],
])("outcomes that are none are refused whole: %j", async (wrong, message) => {
  const given = await createTestDeployer();
  const good = { request_id: "good", outcome: 1 };
  const told: unknown[] = [...wrong, good];
  // @ts-expect-error what comes from outside may be anything
  const error = await errorOf(tell(given, told));
  expect(error).toMatchObject({ code: "invalid_request", retryable: false });
  expect(error.message).toMatch(message);
  expect(await tell(given, [good])).toMatchObject({ waiting: 1 });
});

test("an endpoint that does not exist is refused by name", async () => {
  const given = await createTestDeployer();
  const error = await errorOf(recordOutcomes(given.database, [], { by: "ana", endpoint_name: "e2i_none" }));
  expect(error).toMatchObject({ code: "not_found" });
});
