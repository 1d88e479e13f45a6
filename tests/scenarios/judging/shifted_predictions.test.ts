import { expect, test } from "vitest";
import { judgeAgain } from "../../../src/agents/model_deployer/judge/judged_again.ts";
import { sidesOf } from "../../../src/agents/model_deployer/judge/counts/live_figures.ts";
import {
  createTestDeployer,
  deploy,
  ENDPOINT,
  inProduction,
  promoteWithApproval,
  readyForProduction,
  type TestDeployer,
} from "../../../src/testing/index.ts";

let requests = 0;

/** So many predictions that a deployment answers now, with scores spread evenly from one number to the next. */
async function whenPredicts(given: TestDeployer, id: string, count: number, from: number, to: number) {
  const answered_at = await given.database.clock.now();
  const lines = Array.from({ length: count }, (_, index) => {
    const score = from + ((to - from) * (index + 0.5)) / count;
    return { request_id: `r${(requests += 1)}`, prediction: score, score, answered_at };
  });
  given.predictionLogs.write(id, ...lines);
}

/** The old version has predicted scores from 0 to 1, and the new one gets a fifth of the traffic. */
async function givenARollout(judge: object) {
  const given = await createTestDeployer();
  const { deployment: old } = await inProduction(given, "run1");
  given.router.sendTraffic(ENDPOINT, 2000);
  await whenPredicts(given, old, 200, 0, 1);
  const version = await readyForProduction(given, "run2");
  await promoteWithApproval(given, version);
  const steps = [
    { weight: 20, bake_seconds: 3600 },
    { weight: 100, bake_seconds: 0 },
  ];
  const manifest = await deploy(given, version, "production", { rollout: { steps, judge } });
  return { given, old, candidate: manifest.deployment_id };
}

/** A look each five seconds, before which both sides predict in their shares. */
async function whenLooks(
  { given, old, candidate }: Awaited<ReturnType<typeof givenARollout>>,
  looks: number,
  from: number,
) {
  for (let look = 0; look < looks; look += 1) {
    given.passTime({ seconds: 5 });
    given.router.sendTraffic(ENDPOINT, 100);
    await whenPredicts(given, old, 80, 0, 1);
    await whenPredicts(given, candidate, 20, from, 1);
    given.passTime({ seconds: 2 });
    await given.worker.tick();
  }
}

const rolloutOf = async ({ given }: Awaited<ReturnType<typeof givenARollout>>) =>
  (await given.database.history.lastRollout(ENDPOINT)) ?? expect.fail("nothing is rolled out");

test("a candidate whose scores are shifted by more than the policy allows is sent back, without a shadow, by its numbers", async () => {
  const rollout = await givenARollout({ predictions: { maximum_shift: 0.1 } });
  await whenLooks(rollout, 40, 0.4);
  const { status, verdict } = await rolloutOf(rollout);
  expect(status).toBe("rolled_back");
  expect(verdict?.reason).toMatch(
    /^the candidate predicts otherwise, beyond doubt at 0\.01: .*scores above [\d.]+ [\d.]+ % of \d+ by the candidate and [\d.]+ % of \d+ by the baseline, predictions shifted by [\d.]+ %, e-value/,
  );
  expect(verdict?.signals.at(-1)).toMatchObject({ signal: "predictions", unit: "share" });

  const kept = await rollout.given.database.keptLooks.of((await rolloutOf(rollout)).rollout_id);
  const again = judgeAgain(kept ?? expect.fail("nothing was kept"), sidesOf(await rolloutOf(rollout)), {
    ...(await rolloutOf(rollout)).judge,
    predictions: { maximum_shift: 0.5 },
  });
  expect(again.map((one) => one.verdict.outcome)).not.toContain("fail");
  expect(again.at(-1)?.verdict.reason).toContain("predictions shifted by");
});

test("where it is only to be told, the same shift sends nobody back, and the verdict says it", async () => {
  const rollout = await givenARollout({ predictions: { maximum_shift: null } });
  await whenLooks(rollout, 40, 0.4);
  const { status, verdict } = await rolloutOf(rollout);
  expect(status).toBe("running");
  expect(verdict?.outcome).toBe("pass");
  expect(verdict?.reason).toMatch(/predictions shifted by [\d.]+ %/);
});

test("one that predicts as the old version does stays, and so does one whose predictions nobody logs", async () => {
  const alike = await givenARollout({ predictions: { maximum_shift: 0.1 } });
  await whenLooks(alike, 20, 0);
  expect((await rolloutOf(alike)).status).toBe("running");
  const silent = await givenARollout({});
  await whenLooks(silent, 5, 0.9);
  const { status, judge_state, verdict } = await rolloutOf(silent);
  expect(status).toBe("running");
  expect(judge_state.predictions).toBeNull();
  expect(verdict?.reason).not.toContain("predictions");
});
