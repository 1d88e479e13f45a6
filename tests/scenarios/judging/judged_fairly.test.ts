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

type Behaviours = Parameters<TestDeployer["router"]["sendTraffic"]>[2];
type Judge = { maximum_inconclusive_looks?: number };

/** The old version serves production, and the new one has its first share. */
async function givenARollout(weights: number[], bake_seconds: number, judge: Judge = {}) {
  const given = await createTestDeployer();
  const { deployment: old } = await inProduction(given, "run1");
  given.router.sendTraffic(ENDPOINT, 2000);
  const version = await readyForProduction(given, "run2");
  await promoteWithApproval(given, version);
  const steps = weights.map((weight) => ({ weight, bake_seconds: weight === 100 ? 0 : bake_seconds }));
  const manifest = await deploy(given, version, "production", { rollout: { steps, judge } });
  return { given, old, candidate: manifest.deployment_id };
}

/** So many looks, before each of which a hundred requests come. */
async function whenLooks(given: TestDeployer, looks: number, behaviours: Behaviours, requests = 100) {
  for (let look = 0; look < looks; look += 1) {
    given.passTime({ seconds: 5 });
    given.router.sendTraffic(ENDPOINT, requests, behaviours);
    await given.worker.tick();
  }
}

const traffic = async (given: TestDeployer) => (await given.database.endpoints.get(ENDPOINT))?.weights;
const rolloutOf = async (given: TestDeployer) =>
  (await given.database.history.lastRollout(ENDPOINT)) ?? expect.fail("nothing is rolled out");
const reasons = async (given: TestDeployer) =>
  (await given.database.history.list(EXPERIMENT))
    .filter(({ kind }) => kind === "traffic")
    .map(({ reason }) => reason);
const failing = (...ids: string[]) => Object.fromEntries(ids.map((id) => [id, { error_rate: 1 }]));

test("an outage behind both versions sends no candidate back, however long it lasts", async () => {
  const { given, old, candidate } = await givenARollout([10, 100], 3600);
  await whenLooks(given, 5, {});
  await whenLooks(given, 20, failing(old, candidate));
  await whenLooks(given, 5, {});
  expect(await traffic(given)).toEqual({ [old]: 90, [candidate]: 10 });
  const { status, verdict } = await rolloutOf(given);
  expect(status).toBe("running");
  expect(verdict?.outcome).not.toBe("fail");
});

test("a candidate that fails all in an outage in which the old version fails half is sent back all the same", async () => {
  const { given, old, candidate } = await givenARollout([10, 100], 3600);
  await whenLooks(given, 5, {});
  await whenLooks(given, 10, { [old]: { error_rate: 0.5 }, [candidate]: { error_rate: 1 } });
  expect(await traffic(given)).toEqual({ [old]: 100 });
});

test("in the retention period a caller's bad values, on which the old version fails as well, take nothing back", async () => {
  const { given, old, candidate } = await givenARollout([50, 100], 0);
  await whenLooks(given, 15, {});
  expect(await traffic(given)).toEqual({ [candidate]: 100 });
  await whenLooks(given, 2, failing(old, candidate));
  expect(await traffic(given)).toEqual({ [old]: 50, [candidate]: 50 });
  await whenLooks(given, 5, failing(old, candidate));
  await whenLooks(given, 20, {});
  expect(await traffic(given)).toEqual({ [candidate]: 100 });
  expect((await rolloutOf(given)).status).toBe("completed");
  const told = (await reasons(given)).slice(-2);
  expect(told[0]).toContain(`${candidate} looks worse than ${old} did before, and 50 % go back to it`);
  expect(told[1]).toContain(`the comparison with ${old} is over: the candidate is no worse`);
});

test("a model that refuses every row that callers send, and the old one answers, is sent back by its 4xx", async () => {
  const { given, old, candidate } = await givenARollout([10, 100], 3600);
  await whenLooks(given, 4, { [candidate]: { client_error_rate: 1 } });
  expect(await traffic(given)).toEqual({ [old]: 100 });
  const { status, verdict } = await rolloutOf(given);
  expect(status).toBe("rolled_back");
  expect(verdict?.reason).toMatch(
    /refuses more of what callers send \(4xx\).*\(100\.00 %\) by the candidate/,
  );
});

test("a caller who floods the endpoint with what both refuse sends nobody back, and hides no candidate that fails", async () => {
  const flooded = await givenARollout([10, 100], 3600);
  const refusing = { client_error_rate: 0.9 };
  await whenLooks(flooded.given, 30, { [flooded.old]: refusing, [flooded.candidate]: refusing }, 1000);
  expect(await traffic(flooded.given)).toEqual({ [flooded.old]: 90, [flooded.candidate]: 10 });
  expect((await rolloutOf(flooded.given)).verdict?.outcome).not.toBe("fail");
  await whenLooks(
    flooded.given,
    10,
    { [flooded.old]: refusing, [flooded.candidate]: { ...refusing, error_rate: 0.1 } },
    1000,
  );
  expect(await traffic(flooded.given)).toEqual({ [flooded.old]: 100 });
});

test("a baseline that turns bad itself does not keep the fix from all traffic", async () => {
  const { given, old, candidate } = await givenARollout([10, 50, 100], 0);
  await whenLooks(given, 40, { [old]: { error_rate: 0.5 } });
  expect(await traffic(given)).toEqual({ [candidate]: 100 });
  expect((await rolloutOf(given)).verdict?.worse_by_at_most).toBeLessThanOrEqual(0.02);
});

test("a request now and then holds a rollout where it is, longer than its looks without a verdict, and says at what pace", async () => {
  const { given, old, candidate } = await givenARollout([50, 100], 0, { maximum_inconclusive_looks: 3 });
  await whenLooks(given, 12, {}, 2);
  expect(await traffic(given)).toEqual({ [old]: 50, [candidate]: 50 });
  const { status, verdict, inconclusive_looks } = await rolloutOf(given);
  expect({ status, inconclusive_looks }).toEqual({ status: "running", inconclusive_looks: 0 });
  expect(verdict?.reason).toMatch(
    /of at least 50 samples at this step.*The candidate gives [\d.]+ answers a minute/,
  );
});
