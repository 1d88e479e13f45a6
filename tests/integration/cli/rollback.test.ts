import { expect, test } from "vitest";
import { cli } from "../../support/given/given_cli.ts";
import {
  deploy,
  deployAtOnce,
  ENDPOINT,
  givenDeployer,
  givenInProduction,
  givenReadyForProduction,
  promoteWithApproval,
} from "../../support/given/given_deployer.ts";

const tenPercent = { steps: [10, 100].map((weight) => ({ weight, bake_seconds: 60 })) };

test("a rollback by the endpoint's name does not take away what one has just brought back; one by its id does", async () => {
  const given = await givenDeployer();
  const { deployment: first } = await givenInProduction(given, "run1");
  const version = await givenReadyForProduction(given, "run2");
  await promoteWithApproval(given, version);
  const { deployment_id: second } = await deployAtOnce(given, version);
  await given.worker.tick();
  const next = await givenReadyForProduction(given, "run3");
  await promoteWithApproval(given, next);
  const { deployment_id: third } = await deploy(given, next, "production", { rollout: tenPercent });
  const byName = ["rollback", ENDPOINT, "--reason", "wrong scores"];
  const weights = async () => (await given.db.endpoints.get(ENDPOINT))?.weights;
  expect((await cli(given, byName)).code).toBe(0);
  for (const words of [byName, ["plan", ...byName]]) {
    const { code, err } = await cli(given, words);
    expect(code).toBe(5);
    expect(err.replaceAll(/\s+/g, " ")).toMatch(
      new RegExp(`^conflict ${third} of ${ENDPOINT} was rolled back \\d+ s ago \\(wrong scores\\)`),
    );
    expect(err).toContain(`rollback ${second}`);
    expect(err).not.toContain("may succeed");
  }
  expect(await weights()).toEqual({ [second]: 100 });
  expect((await cli(given, ["rollback", second, "--reason", "that one too"])).code).toBe(0);
  expect(await weights()).toEqual({ [first]: 100 });
});
