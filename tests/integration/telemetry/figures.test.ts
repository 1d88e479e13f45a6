import { expect, test } from "vitest";
import { givenDeployer, givenReadyForProduction } from "../../support/given/given_deployer.ts";

test("the database counts what workers are watched by", async () => {
  const given = await givenDeployer();
  expect(await given.db.figures()).toEqual({
    rollouts: [],
    verdicts: [],
    operations: [],
    outbox: [],
    lag_seconds: 0,
    unobserved_endpoints: 0,
  });
  await givenReadyForProduction(given, "run1");
  const figures = await given.db.figures();
  expect(figures.operations).toEqual(
    expect.arrayContaining([
      { labels: ["promote", "succeeded"], count: 2 },
      { labels: ["register", "succeeded"], count: 1 },
    ]),
  );
  expect(figures.unobserved_endpoints).toBe(0);
});
