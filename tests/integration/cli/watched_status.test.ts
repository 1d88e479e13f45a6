import { expect, test } from "vitest";
import { z } from "zod";
import { statusReportSchema } from "../../../src/cli/schemas.ts";
import { cli } from "../../support/given_cli.ts";
import { ENDPOINT } from "../../support/given_deployer.ts";
import { givenRollout, look } from "../../support/given_rollout.ts";

const statusDocument = z.object({ data: statusReportSchema });

test("status of a rollout that is watched on says for how long, and what the judge has seen", async () => {
  const given = await givenRollout();
  const rollout = async () => {
    const { out } = await cli(given, ["status", ENDPOINT, "--json"]);
    return statusDocument.parse(JSON.parse(out)).data.endpoints[0]?.rollout;
  };
  expect(await rollout()).toMatchObject({ status: "running", watched_until: null });
  for (let step = 0; step < 3; step += 1) await look(given);
  const { watched_until: until } = (await given.db.rollouts.get(given.rolloutId)) ?? {};
  expect(await rollout()).toMatchObject({ status: "completed", watched_until: until });
  const { out } = await cli(given, ["status", ENDPOINT]);
  expect(out).toMatch(/rollout {3}completed, watched for \S+ .*more/);
  expect(out).toMatch(/samples {3}candidate \d+ \(0\.00 % failed\)/);
  await given.world.sql("update ml_rollouts set next_tick_at = null");
  expect(await rollout()).toMatchObject({ status: "completed", watched_until: null });
  expect((await cli(given, ["status", ENDPOINT])).out).not.toContain("watched");
});
