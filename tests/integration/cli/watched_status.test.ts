import { expect, test } from "vitest";
import { z } from "zod";
import { statusReportSchema } from "../../../src/service/report_schemas.ts";
import { cli, jsonOf } from "../../support/given/given_cli.ts";
import { ENDPOINT } from "../../support/given/given_deployer.ts";
import { givenRollout, look } from "../../support/given/given_rollout.ts";

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
  expect(out).toMatch(/● e2i_remission:v1 ready, draining, warm for /);
  given.server.crash(given.old, "it was killed");
  const dead = (await cli(given, ["status", ENDPOINT])).out;
  expect(dead).toMatch(/○ e2i_remission:v1 failed \(it was killed\), draining, to be kept warm for /);
  await given.world.sql("update ml_rollouts set next_tick_at = null");
  expect(await rollout()).toMatchObject({ status: "completed", watched_until: null });
  expect((await cli(given, ["status", ENDPOINT])).out).not.toContain("watched");
});

test("status says that a serving model's own example fails, and since when a server can't be started; that ends nothing", async () => {
  const given = await givenRollout();
  const { old, candidate } = given;
  given.server.failSamples("the feature store is away");
  const { out, code } = await cli(given, ["status"]);
  expect(out).toContain("sample    of e2i_remission:v1 fails: the feature store is away");
  expect(code).toBe(0);
  const { data } = await jsonOf(given, statusReportSchema, "status");
  const failing = data.endpoints[0]?.servers.filter((one) => one.sample_failure !== null);
  expect(failing?.map((one) => one.deployment_id).sort()).toEqual([old, candidate].sort());
  await given.worker.tick();
  expect(await given.server.list()).toEqual(expect.arrayContaining([old, candidate]));

  given.server.failSamples(null);
  await given.world.sql(
    "insert into ml_server_restarts (deployment_id, failures, last_error, next_try_at) values ($1, 2, 'no memory is left', '2999-01-01')",
    [old],
  );
  const told = (await cli(given, ["status"])).out;
  expect(told).not.toContain("sample ");
  expect(told).toContain(
    "restart   of e2i_remission:v1: it could not be started 2 times in a row (no memory is left); next try at 2999",
  );
});
