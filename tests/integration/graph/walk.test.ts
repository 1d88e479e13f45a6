import { expect, test } from "vitest";
import { anotherProcess, givenDeployer } from "../../support/given/given_deployer.ts";
import { type Duration, secondsOf } from "../../../src/testing/clock.ts";
import { pastTriggers } from "../../support/world.ts";
import { newTally } from "../../walk/tally.ts";
import { tableOf, takeWalks } from "../../walk/walk.ts";
import { addOtherExperiment, type Walker } from "../../walk/world.ts";

/** On a database with real connections, where two who ask at once wait for each other's rows; it cannot be copied. */
async function begin(): Promise<Walker> {
  const given = await givenDeployer();
  await addOtherExperiment({ database: given.db });
  const other = anotherProcess(given, { requested_by: "bea" });
  const passTime = async (by: Duration) => {
    const { world } = given;
    await world.passTime(by);
    const moved = ["deployed_at", "rolled_back_at"].map(
      (at) => `${at} = ${at} - make_interval(secs => ${secondsOf(by)})`,
    );
    // By these an endpoint that goes to and fro takes no rollout for an hour.
    await world.sql(pastTriggers(`update ml_deployments set ${moved.join(", ")}`));
  };
  return { ...given, database: given.db, passTime, beside: () => other };
}

test("on random ways over a real database every run comes to production by what refusals say", async () => {
  const tally = newTally();
  await takeWalks(tally, {
    ...{ sequences: 200, seed: 200, together: 20, longest: 6, longest_end: 2, pursued: 1, begin },
  });
  const { dead_ends, circles, sequences } = tally;
  expect({ dead_ends, circles, sequences }, tableOf(tally).join("\n")).toEqual({
    dead_ends: [],
    circles: [],
    sequences: 200,
  });
});
