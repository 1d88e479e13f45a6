import { expect, test } from "vitest";
import { judgeAgain } from "../../src/agents/model_deployer/judge/judged_again.ts";
import { sidesOf } from "../../src/agents/model_deployer/judge/counts/live_figures.ts";
import type { MetricSettings } from "../../src/agents/model_deployer/domain/evidence/team_metrics.ts";
import { InvalidRequestError } from "../../src/agents/model_deployer/errors.ts";
import {
  createTestDeployer,
  deploy,
  ENDPOINT,
  inProduction,
  promoteWithApproval,
  readyForProduction,
} from "../../src/testing/index.ts";

const FLAGGED = 'sum(rate(flagged_total{deployment="{{deployment}}"}[{{since}}]))';
const flagged = {
  query: FLAGGED,
  of: null,
  worse: "higher",
  bound: null,
  worse_by: 0.1,
  every_seconds: 15,
  minimum_windows: 3,
} as const;
const outOf = { ...flagged, of: 'sum(increase(all_total{deployment="{{deployment}}"}[{{since}}]))' };

/** The new version gets a fifth of the traffic, and then all of it. */
async function givenARollout(metrics: Record<string, MetricSettings>) {
  const given = await createTestDeployer();
  const { deployment: old } = await inProduction(given, "run1");
  given.router.sendTraffic(ENDPOINT, 2000);
  const version = await readyForProduction(given, "run2");
  await promoteWithApproval(given, version);
  const steps = [
    { weight: 20, bake_seconds: 0 },
    { weight: 100, bake_seconds: 0 },
  ];
  const manifest = await deploy(given, version, "production", { rollout: { steps, judge: { metrics } } });
  const candidate = manifest.deployment_id;
  /** Of each query that names one side, what it gives. */
  const whenTheMetricsSay = (say: (side: "old" | "new", query: string, at: string) => number[]) =>
    given.teamMetrics.answer((query, at) => {
      if (query.includes(candidate)) return say("new", query, at);
      return query.includes(old) ? say("old", query, at) : [];
    });
  const whenWindowsPass = async (windows: number) => {
    for (let look = 0; look < windows; look += 1) {
      given.passTime({ seconds: 15 });
      given.router.sendTraffic(ENDPOINT, 1000);
      await given.worker.tick();
    }
  };
  const rollout = async () =>
    (await given.database.history.lastRollout(ENDPOINT)) ?? expect.fail("nothing is rolled out");
  return { given, old, candidate, whenTheMetricsSay, whenWindowsPass, rollout };
}

test("a candidate that is worse by a metric of the team, window by window, is sent back by its numbers though it answers well", async () => {
  const { whenTheMetricsSay, whenWindowsPass, rollout, given } = await givenARollout({ flagged });
  whenTheMetricsSay((side) => [side === "new" ? 0.5 : 0.2]);
  await whenWindowsPass(20);
  const { status, verdict, judge, rollout_id } = await rollout();
  expect(status).toBe("rolled_back");
  expect(verdict?.reason).toMatch(
    /^the candidate is worse by flagged, beyond doubt at 0\.01: .*flagged 0\.5 against 0\.2, worse in (\d+) of \1 windows, e-value/,
  );
  expect(verdict?.signals.at(-1)).toMatchObject({
    signal: "metric:flagged",
    unit: "value",
    candidate: 0.5,
    baseline: 0.2,
  });

  const kept = (await given.database.keptLooks.of(rollout_id)) ?? expect.fail("nothing was kept");
  const sides = sidesOf(await rollout());
  const again = (alpha: number) => judgeAgain(kept, sides, { ...judge, alpha }).map((one) => one.verdict);
  expect(again(0.01).at(-1)?.reason).toBe(verdict?.reason);
  expect(again(0.0001).map(({ outcome }) => outcome)).not.toContain("fail");
});

test("one that is no worse gets all traffic after its windows, and the sides are asked for the same time", async () => {
  const { whenTheMetricsSay, whenWindowsPass, rollout, given } = await givenARollout({ flagged });
  const asked = { old: new Set<string>(), new: new Set<string>() };
  whenTheMetricsSay((side, query, at) => {
    asked[side].add(`${/\[(.*)\]/.exec(query)?.[1]} up to ${at}`);
    return [0.2];
  });
  await whenWindowsPass(4);
  const { verdict } = await rollout();
  expect(verdict).toMatchObject({ outcome: "inconclusive", lacks: "metrics" });
  expect(verdict?.reason).toContain("flagged was compared in 1 of at least 3 windows of 15 s");
  await whenWindowsPass(6);
  expect((await rollout()).status).toBe("completed");
  expect(asked.new).toEqual(asked.old);
  expect(given.wire.calls.filter((call) => call === "teamMetrics.read").length).toBeLessThan(20);
});

test.each([
  ["no data", () => []],
  ["several series", () => [1, 2]],
  ["NaN", () => [Number.NaN]],
])("with %s the rollout is held by that name, and goes on once there is a number", async (name, said) => {
  const { whenTheMetricsSay, whenWindowsPass, rollout } = await givenARollout({ flagged });
  whenTheMetricsSay((side) => (side === "new" ? said() : [0.2]));
  await whenWindowsPass(15);
  const { status, verdict, inconclusive_looks } = await rollout();
  expect({ status, inconclusive_looks }).toEqual({ status: "running", inconclusive_looks: 0 });
  expect(verdict?.lacks).toBe("metrics");
  const word = name === "several series" ? "2 series" : name;
  expect(verdict?.reason).toMatch(new RegExp(`^flagged is not known: .*${word}.* for the candidate`));
  whenTheMetricsSay(() => [0.2]);
  await whenWindowsPass(6);
  expect((await rollout()).status).toBe("completed");
});

test("a server of metrics that does not answer holds the rollout, and says so", async () => {
  const { given, whenTheMetricsSay, whenWindowsPass, rollout } = await givenARollout({ flagged });
  whenTheMetricsSay(() => [0.2]);
  given.wire.fail("teamMetrics.read");
  await whenWindowsPass(12);
  const { status, verdict } = await rollout();
  expect(status).toBe("running");
  expect(verdict?.reason).toMatch(
    /^flagged is not known: teamMetrics.read does not answer for the candidate/,
  );
});

test("a bound is broken by one side or by both: only the candidate alone is failed, and both hold the last step", async () => {
  const memory = { ...flagged, query: 'memory{d="{{deployment}}"}', bound: 100 };
  const both = await givenARollout({ memory });
  both.whenTheMetricsSay(() => [150]);
  await both.whenWindowsPass(20);
  expect((await both.rollout()).status).toBe("running");
  expect((await both.rollout()).verdict?.reason).toContain("memory is 150, beyond its bound of 100");
  const alone = await givenARollout({ memory });
  alone.whenTheMetricsSay((side) => [side === "new" ? 150 : 90]);
  await alone.whenWindowsPass(20);
  expect((await alone.rollout()).status).toBe("rolled_back");
});

test("shares are compared by their counts, so that few requests of a rare kind condemn nobody, and many do", async () => {
  const of = (side: "old" | "new", query: string, flaggedByNew: number) => {
    if (query.includes("all_total")) return [side === "new" ? 800 : 3200];
    return [side === "new" ? flaggedByNew : 32];
  };
  const alike = await givenARollout({ flagged: outOf });
  alike.whenTheMetricsSay((side, query) => of(side, query, 8));
  await alike.whenWindowsPass(6);
  expect((await alike.rollout()).status).toBe("completed");
  const worse = await givenARollout({ flagged: outOf });
  worse.whenTheMetricsSay((side, query) => of(side, query, 80));
  await worse.whenWindowsPass(15);
  const { status, verdict } = await worse.rollout();
  expect(status).toBe("rolled_back");
  expect(verdict?.signals.at(-1)).toMatchObject({ unit: "share", candidate: 0.1, baseline: 0.01 });
});

test("an outage that the metrics show at the candidate a window earlier fails nobody", async () => {
  const { whenTheMetricsSay, whenWindowsPass, rollout } = await givenARollout({ flagged: outOf });
  let minute = 0;
  whenTheMetricsSay((side, query) => {
    if (query.includes("all_total")) return [side === "new" ? 800 : 3200];
    minute += 1;
    return [side === "new" ? (minute < 3 ? 800 : 8) : minute < 3 ? 32 : minute < 6 ? 3200 : 32];
  });
  await whenWindowsPass(20);
  expect((await rollout()).status).not.toBe("rolled_back");
});

test("a query that the server of metrics does not take is refused before anything is deployed", async () => {
  const given = await createTestDeployer();
  await inProduction(given, "run1");
  const version = await readyForProduction(given, "run2");
  await promoteWithApproval(given, version);
  const metrics = { flagged: { ...flagged, query: 'sum(rate(x{d="{{deployment}}"}[{{since}}])' } };
  const rollout = {
    steps: [
      { weight: 20, bake_seconds: 0 },
      { weight: 100, bake_seconds: 0 },
    ],
    judge: { metrics },
  };
  const started = given.wire.calls.filter((call) => call === "server.start").length;
  await expect(deploy(given, version, "production", { rollout })).rejects.toThrow(InvalidRequestError);
  await expect(deploy(given, version, "production", { rollout })).rejects.toThrow(
    /The metric flagged: .*is no query/,
  );
  expect(given.wire.calls.filter((call) => call === "server.start").length).toBe(started);
});
