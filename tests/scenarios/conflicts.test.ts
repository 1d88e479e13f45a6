import { expect, test } from "vitest";
import {
  act,
  createTestDeployer,
  deploy,
  ENDPOINT,
  errorOf,
  EXPERIMENT,
  inProduction,
  promoteWithApproval,
  readyForProduction,
  type TestDeployer,
} from "../../src/testing/index.ts";

async function givenARollout(given: TestDeployer): Promise<string> {
  await inProduction(given, "run1");
  const version = await readyForProduction(given, "run2");
  await promoteWithApproval(given, version);
  return (await deploy(given, version, "production")).deployment_id;
}

const asking = async (given: TestDeployer, action: string) => {
  const { code, retryable } = await errorOf(
    act(given, action, { endpoint_name: ENDPOINT, rollout_reason: `please ${action}` }),
  );
  return `${code}, ${retryable ? "may pass" : "final"}`;
};

test("a conflict says whether the same request may ever be granted", async () => {
  const given = await createTestDeployer();
  const candidate = await givenARollout(given);
  expect(await asking(given, "retry")).toBe("conflict, may pass");
  const newer = await readyForProduction(given, "run3");
  expect((await errorOf(promoteWithApproval(given, newer))).retryable).toBe(true);

  await act(given, "abort", { endpoint_name: ENDPOINT, rollout_reason: "later" });
  expect(await asking(given, "pause")).toBe("conflict, final");
  expect(await asking(given, "resume")).toBe("conflict, final");
  expect(await asking(given, "promote_now")).toBe("conflict, final");
  const removal = { deployment_id: candidate, removal_reason: "done" };
  await act(given, "remove", removal);

  const known = await given.database.experiments.get(EXPERIMENT);
  const another = { ...(known ?? expect.fail("there is no experiment")), prediction_target: "relapse" };
  await expect(given.database.experiments.create(another, "ana")).rejects.toMatchObject({
    code: "conflict",
    retryable: false,
  });
});
