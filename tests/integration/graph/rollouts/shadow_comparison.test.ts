import { expect, test } from "vitest";
import {
  anotherProcess,
  deploy,
  ENDPOINT,
  errorOf,
  EXPERIMENT,
  givenDeployer,
  type GivenDeployer,
  givenInProduction,
  promote,
  register,
  turnBackActivation,
} from "../../../support/given/given_deployer.ts";

async function givenShadow(given: GivenDeployer) {
  const { deployment: production } = await givenInProduction(given, "run1");
  const version = await register(given, "run2");
  await promote(given, version, "staging");
  await promote(given, version, "shadow");
  const { deployment_id: shadow } = await deploy(given, version, "shadow");
  given.router.sendTraffic(ENDPOINT, 1000);
  return { production, version, shadow };
}

const answer = (number: number, prediction: number) => ({
  request_id: `r${number}`,
  prediction,
  score: prediction,
});
const requests = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index);
const comparisonOf = ({ db }: GivenDeployer, shadow: string) => db.shadowComparisons.read(shadow);

test("shadow and production are paired by request, once, in whatever order their lines are read", async () => {
  const given = await givenDeployer();
  const { production, shadow } = await givenShadow(given);
  given.predictionLogs.write(shadow, ...requests(0, 120).map((number) => answer(number, number % 2)));
  await given.worker.tick();
  expect(await comparisonOf(given, shadow)).toMatchObject({ pairs: 0 });
  given.predictionLogs.write(production, ...requests(20, 200).map((number) => answer(number, 1)));
  await Promise.all([given.worker.tick(), anotherProcess(given).worker.tick()]);
  await given.worker.tick();
  expect(await comparisonOf(given, shadow)).toMatchObject({
    pairs: 100,
    disagreements: 50,
    lower: 50,
    sum_difference: -50,
  });
  given.predictionLogs.write(shadow, ...requests(120, 130).map((number) => answer(number, 1)));
  await given.worker.tick();
  expect(await comparisonOf(given, shadow)).toMatchObject({ pairs: 110, disagreements: 50 });
});

test("the gate refuses what disagrees too often, with the numbers, where the policy asks for agreement", async () => {
  const given = await givenDeployer();
  const { production, shadow, version } = await givenShadow(given);
  const policy = await given.db.experiments.getGatePolicy(EXPERIMENT);
  const { policy_id: _id, ...rest } = policy;
  await given.db.experiments.setGatePolicy(EXPERIMENT, { ...rest, maximum_shadow_disagreement: 0.1 }, "ana");
  given.predictionLogs.write(shadow, ...requests(0, 200).map((number) => answer(number, number % 2)));
  given.predictionLogs.write(production, ...requests(0, 200).map((number) => answer(number, 1)));
  await turnBackActivation(given, shadow, "24 hours");
  const error = await errorOf(promote(given, version, "production"));
  expect(error.name).toBe("ProductionCriteriaNotMetError");
  expect(error.message).toContain("Shadow and production disagreed in 100 of 200 pairs (50.00 %)");
});

test("text that Postgres does not hold is compared all the same, and stops no comparison", async () => {
  const given = await givenDeployer();
  const { production, shadow } = await givenShadow(given);
  for (const [index, prediction] of ["a\0b", "\ud800"].entries()) {
    const line = { request_id: `r${index}`, prediction, score: null };
    given.predictionLogs.write(shadow, line);
    given.predictionLogs.write(production, line);
  }
  expect((await given.worker.tick()).problems).toEqual([]);
  expect(await comparisonOf(given, shadow)).toMatchObject({ pairs: 2, disagreements: 0 });
});

test("logs that cannot be read hold up no other evidence, and are named", async () => {
  const given = await givenDeployer();
  const { shadow } = await givenShadow(given);
  given.wire.fail("predictionLogs.read");
  const { problems } = await given.worker.tick();
  expect(problems.join()).toContain("predictionLogs.read does not answer");
  expect(await given.db.shadowEvidence.read(shadow)).toMatchObject({ requests: 1000 });
});
