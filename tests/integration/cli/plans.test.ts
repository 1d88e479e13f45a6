import { expect, test } from "vitest";
import { applyReportSchema, planReportSchema } from "../../../src/service/report_schemas.ts";
import { cli, jsonErrorOf, jsonOf, normalised } from "../../support/given/given_cli.ts";
import {
  ENDPOINT,
  givenDeployer,
  givenInProduction,
  givenReadyForProduction,
  promoteWithApproval,
} from "../../support/given/given_deployer.ts";
import { givenRollout } from "../../support/given/given_rollout.ts";

test("a plan is a difference, and nothing happens", async () => {
  const given = await givenRollout();
  const { old, candidate } = given;
  const printed = await cli(given, ["plan", "abort", ENDPOINT, "--reason", "enough"]);
  expect(printed).toMatchObject({ code: 0, err: "" });
  expect(normalised(printed.out)).toMatchInlineSnapshot(`
    "Abort the rollout and take e2i_remission back from e2i_remission:v2 to e2i_remission:v1.
      stage       e2i_remission v2
                  - production
                  + archived
      stage       e2i_remission v1
                  - archived
                  + production
      alias       e2i_remission v2
                  - production
      alias       e2i_remission v1
                  + production
      traffic     e2i_remission
                  - 90 % e2i_remission v1, 10 % e2i_remission v2
                  + 100 % e2i_remission v1
      deployment  e2i_remission v2
                  - active or deploying
                  + rolled_back, warm for 300 s
      rollout     e2i_remission v2
                  - running, step 1
                  + aborted, step 1
    "
  `);
  const { data } = await jsonOf(given, planReportSchema, "plan", "abort", ENDPOINT, "--reason", "enough");
  expect(data.differences).toContainEqual({
    subject: "traffic",
    name: ENDPOINT,
    before: `90 % ${old}, 10 % ${candidate}`,
    after: `100 % ${old}`,
  });
  expect((await given.db.endpoints.get(ENDPOINT))?.weights).toEqual({ [old]: 90, [candidate]: 10 });
});

test("a plan of a deployment calls it by its version, which has no id yet", async () => {
  const given = await givenDeployer();
  await givenInProduction(given, "run1");
  const version = await givenReadyForProduction(given, "run2");
  await promoteWithApproval(given, version);
  const { out, code } = await cli(given, ["plan", "deploy", version, "production"]);
  expect(code).toBe(0);
  expect(out).toContain("- 100 % e2i_remission v1\n");
  expect(out).toContain("+ 90 % e2i_remission v1, 10 % e2i_remission v2\n");
  expect(out).toContain("- e2i_remission v2 (shadow)\n");
  expect(out).not.toContain("dry_run");
});

test("a rollout that has ended is watched for one look, and what is over is not told to be tried again", async () => {
  const given = await givenRollout();
  expect((await cli(given, ["rollback", ENDPOINT, "--reason", "wrong scores"])).code).toBe(0);
  const watched = await cli(given, ["status", "--watch"]);
  expect(watched).toMatchObject({ code: 0, err: "" });
  expect(watched.out).toContain("rollout   rolled back");
  const late = await cli(given, ["pause", ENDPOINT, "--reason", "quiet, please"]);
  expect(late.code).toBe(5);
  expect(late.err).toContain("is rolled_back and cannot be paused");
  expect(late.err).not.toContain("may succeed");
});

test("a removal shows what goes and asks nobody where nobody sits; production is refused with the reason", async () => {
  const given = await givenDeployer();
  const { deployment } = await givenInProduction(given, "run1");
  const shadowed = await givenReadyForProduction(given, "run2");
  const shadow = (await given.db.endpoints.get(ENDPOINT))?.mirror_deployment_id ?? "";
  const words = ["remove", shadow, "--reason", "it leaks"];
  const { out, code } = await cli(given, ["plan", ...words]);
  expect(code).toBe(0);
  expect(normalised(out)).toMatchInlineSnapshot(`
    "Remove <deploy 1>, which serves e2i_remission:v2 at shadow on e2i_remission.
      mirror      e2i_remission
                  - e2i_remission v2
      deployment  e2i_remission v2
                  - active
                  + draining
      server      e2i_remission v2
                  - runs
      note: <mv 1> stays at shadow; a deployment serves it again.
    "
  `);
  const removed = await jsonOf(given, applyReportSchema, ...words);
  expect(removed).toMatchObject({ code: 0, data: { status: "completed" } });
  expect(await given.server.list()).not.toContain(shadow);
  expect((await given.db.modelVersions.get(shadowed))?.stage).toBe("shadow");
  const refused = await jsonErrorOf(given, ["remove", deployment, "--reason", "a mistake"]);
  expect(refused).toMatchObject({ code: 5, error: { code: "conflict" } });
  expect(refused.error.message).toContain("has 100 % of the traffic");
  expect(await given.server.list()).toContain(deployment);
});
