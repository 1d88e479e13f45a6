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

/** A second at a time a hundred requests come, and the worker looks. */
async function whenLooks(given: TestDeployer, looks: number, errorRates: Record<string, number> = {}) {
  const behaviours = Object.fromEntries(
    Object.entries(errorRates).map(([id, error_rate]) => [id, { error_rate }]),
  );
  for (let look = 0; look < looks; look += 1) {
    given.passTime({ seconds: 1 });
    given.router.sendTraffic(ENDPOINT, 100, behaviours);
    await given.worker.tick();
  }
}

test("a rollout is judged again look by look: by its own settings as it was, by others as it would have been", async () => {
  const given = await createTestDeployer();
  await inProduction(given, "run1");
  given.router.sendTraffic(ENDPOINT, 2000);
  const version = await readyForProduction(given, "run2");
  await promoteWithApproval(given, version);
  const steps = [
    { weight: 10, bake_seconds: 5 },
    { weight: 50, bake_seconds: 60 },
    { weight: 100, bake_seconds: 0 },
  ];
  const manifest = await deploy(given, version, "production", { rollout: { steps } });
  await whenLooks(given, 12);
  await whenLooks(given, 12, { [manifest.deployment_id]: 0.5 });
  const rollout = (await given.database.history.lastRollout(ENDPOINT)) ?? expect.fail("no rollout");
  expect(rollout.status).toBe("rolled_back");

  const kept = (await given.database.keptLooks.of(rollout.rollout_id)) ?? expect.fail("nothing was kept");
  const own = judgeAgain(kept, sidesOf(rollout), rollout.judge);
  expect(own.map(({ verdict }) => verdict.outcome)).toEqual(kept.looks.map(({ outcome }) => outcome));
  expect(own.at(-1)?.verdict.outcome).toBe("fail");
  expect(new Set(kept.looks.map(({ step_index }) => step_index))).toEqual(new Set([0, 1]));
  expect(rollout.verdict?.reason).toBe(own.at(-1)?.verdict.reason);

  const blind = { ...rollout.judge, effect_floor: 0.1, margin: 1, alpha: 1e-300 };
  const again = judgeAgain(kept, sidesOf(rollout), blind);
  expect(again.map(({ verdict }) => verdict.outcome)).not.toContain("fail");
});
