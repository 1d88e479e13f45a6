import { expect, test } from "vitest";
import { ServiceRefusedError } from "../../../src/agents/model_deployer/errors.ts";
import { reconciliationReportSchema, resumptionReportSchema } from "../../../src/service/report_schemas.ts";
import { pollUntil } from "../../../src/testing/poll.ts";
import { cli, jsonOf } from "../../support/given/given_cli.ts";
import {
  deploy,
  errorOf,
  givenDeployer,
  type GivenDeployer,
  givenInProduction,
  promote,
  register,
} from "../../support/given/given_deployer.ts";

/** A deployment to staging that was cut off before its route was applied. */
async function givenCutOff(given: GivenDeployer): Promise<string> {
  const version = await register(given, "run1");
  await promote(given, version, "staging");
  given.wire.fail("router.apply", { times: 1 });
  await errorOf(deploy(given, version, "staging"));
  const [row] = await given.world.sql("select operation_id as id from ml_operations where action = 'deploy'");
  return String(row?.["id"]);
}

test("what differs is repaired and shown as a difference; what is left is told, with an exit code of its own", async () => {
  const given = await givenDeployer();
  const { deployment } = await givenInProduction(given, "run1");
  expect((await cli(given, ["reconcile"])).out).toMatch(
    /^Looked at 1 endpoint, 1 server and 1 version: nothing differs\n$/,
  );
  given.server.crash(deployment);
  const repaired = await cli(given, ["reconcile"]);
  expect(repaired).toMatchObject({ code: 0, err: "" });
  expect(repaired.out).toContain("1 repaired, 0 left\n");
  expect(repaired.out).toContain(`  repaired  servers   ${deployment}\n            - failed: `);
  given.server.crash(deployment);
  given.wire.fail("server.start", { error: new ServiceRefusedError("bentoml", "no memory is left") });
  const left = await jsonOf(given, reconciliationReportSchema, "reconcile");
  expect(left.code).toBe(6);
  expect(left.data.findings).toMatchObject([{ part: "servers", subject: deployment, outcome: "left" }]);
  expect(left.data.findings[0]?.why).toMatch(/could not be started once \(no memory is left\); next try at /);
});

test("an operation that was cut off is completed, and answers as it would have", async () => {
  const given = await givenDeployer();
  const id = await givenCutOff(given);
  const { code, data } = await jsonOf(given, resumptionReportSchema, "resume-operation", id);
  expect(code).toBe(0);
  expect(data).toMatchObject({ status: "completed", action: "deploy", operation_id: id });
  expect(data.deployment_manifest).toMatchObject({ target_stage: "staging", status: "active" });
  expect((await cli(given, ["resume-operation", id])).out).toMatch(
    /^done in .*\n {2}e2i_remission:v1 at staging/,
  );
});

test("one that cannot be completed is undone, and one that was refused stays so: each with its exit code", async () => {
  const given = await givenDeployer();
  const id = await givenCutOff(given);
  given.wire.fail("router.apply", {
    error: new ServiceRefusedError("envoy", "the route is refused"),
    times: 1,
  });
  const undone = await cli(given, ["resume-operation", id]);
  expect(undone).toMatchObject({ code: 8, out: `undone  deploy ${id}\n  the route is refused\n` });
  const version = await register(given, "run2");
  const { details } = await errorOf(promote(given, version, "production"));
  const refused = await jsonOf(
    given,
    resumptionReportSchema,
    "resume-operation",
    String(details["operation_id"]),
  );
  expect(refused).toMatchObject({ code: 3, data: { status: "refused", action: "promote" } });
  expect((await cli(given, ["resume-operation", "op_missing"])).code).toBe(3);
});

test("an action that is ended from outside gives its lease back, and names the operation that goes on", async () => {
  const given = await givenDeployer();
  const version = await register(given, "run1");
  await promote(given, version, "staging");
  given.wire.hang("server.start");
  const ended = new AbortController();
  const underWay = cli(given, ["apply", "deploy", version, "staging"], {}, ended.signal);
  await pollUntil(async () => given.wire.calls.includes("server.start") || null, {
    deadlineMs: 120_000,
    what: "the server is being started",
  });
  ended.abort();
  const { code, out, err } = await underWay;
  expect({ code, out }, err).toEqual({ code: 130, out: "" });
  const [row] = await given.world.sql("select operation_id as id from ml_operations where action = 'deploy'");
  expect(err).toMatch(new RegExp(`^interrupted .*operation ${String(row?.["id"])} is left`));
  expect(err).toContain(`model-deployer resume-operation ${String(row?.["id"])}`);
  expect(await given.db.overview.leases()).toEqual([]);
});
