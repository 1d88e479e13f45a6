import { expect, test } from "vitest";
import {
  act,
  createTestDeployer,
  deploy,
  errorOf,
  inProduction,
  promote,
  register,
  type TestDeployer,
} from "../../src/testing/index.ts";

type Stage = "staging" | "shadow";

async function versionAt(given: TestDeployer, run: string, stage: Stage): Promise<string> {
  const version = await register(given, run);
  await promote(given, version, "staging");
  if (stage === "shadow") await promote(given, version, "shadow");
  return version;
}

async function round(given: TestDeployer) {
  given.passTime({ minutes: 1 });
  return given.worker.tick();
}

/** The statuses of a version's deployments at the stage, by id. */
async function statuses({ database }: TestDeployer, version: string, stage: Stage) {
  const all = await database.deployments.listForVersion(version);
  return new Map(
    all
      .filter(({ target_stage }) => target_stage === stage)
      .map(({ deployment_id: id, status }) => [id, status]),
  );
}

/** One deployment was served, the next one was cut off between the database and the router, a third one came beside it. */
async function givenOvertaken(stage: Stage) {
  const given = await createTestDeployer();
  await inProduction(given, "run1");
  const former = await versionAt(given, "run2", stage);
  const late = await versionAt(given, "run3", stage);
  const other = await versionAt(given, "run4", stage);
  const first = await deploy(given, former, stage);
  given.wire.fail("router.apply", { times: 1 });
  const cut = await errorOf(deploy(given, late, stage));
  expect(cut).toMatchObject({ code: "service_unavailable", retryable: true });
  const served = await deploy(given, other, stage);
  return { given, former, late, other, first: first.deployment_id, served: served.deployment_id };
}

test.each(["staging", "shadow"] as const)(
  "a deployment at %s that was cut off and overtaken comes to its end, and what served before both is not left running",
  async (stage) => {
    const { given, former, late, first, served } = await givenOvertaken(stage);
    expect((await round(given)).problems).toEqual([]);
    await round(given);
    expect((await statuses(given, former, stage)).get(first)).toBe("draining");
    expect([...(await statuses(given, late, stage)).values()]).toEqual(["draining"]);
    expect((await given.server.list()).filter((id) => id === first)).toEqual([]);
    expect(await given.server.list()).toContain(served);
  },
);

test.each(["staging", "shadow"] as const)(
  "whoever asks again for one at %s that was overtaken gets it served, by a deployment of its own",
  async (stage) => {
    const { given, late, other, served } = await givenOvertaken(stage);
    await round(given);
    const again = await act(given, "deploy", { model_version_id: late, target_stage: stage });
    expect(again.deployment_manifest?.status).toBe("active");
    expect([...(await statuses(given, late, stage)).values()].toSorted()).toEqual(["active", "draining"]);
    expect((await statuses(given, other, stage)).get(served)).toBe("draining");
    expect((await round(given)).problems).toEqual([]);
  },
);
