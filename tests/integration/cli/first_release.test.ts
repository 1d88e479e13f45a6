import { EventEmitter, once } from "node:events";
import { expect, test } from "vitest";
import { releaseReportSchema } from "../../../src/cli/output/start_schemas.ts";
import { cli, documentOf, jsonErrorOf } from "../../support/given/given_cli.ts";
import { APPROVER_TOKEN, ENDPOINT, givenDeployer } from "../../support/given/given_deployer.ts";

const words = ["release", "remission", "run1", "--wait", "0"];

test("a run goes as far as it may, says what it waits for, and is in production after an approval", async () => {
  const given = await givenDeployer();
  const stepwise = [...words, "--steps", "10:20,100:0"];
  expect((await cli(given, stepwise)).out).toMatch(
    /next {2}model-deployer release remission run1 --steps 10:20,100:0 /,
  );
  const shadowed = await documentOf(given, releaseReportSchema, words);
  expect(shadowed).toMatchObject({ code: 7, data: { status: "waits_for_evidence", stage: "shadow" } });
  expect(shadowed.data.lacks.join(" ")).toMatch(/needs 24\.00 h.*needs 1000/);

  given.router.sendTraffic(ENDPOINT, 1200);
  await given.world.passTime({ hours: 25 });
  await given.worker.tick();

  const waiting = await documentOf(given, releaseReportSchema, words);
  expect(waiting).toMatchObject({ code: 4, data: { status: "waits_for_approval" } });
  const approve = ["approve", waiting.data.operation_id ?? "", "--reason", "fine"];
  const approved = await cli(given, approve, { MODEL_DEPLOYER_TOKEN: APPROVER_TOKEN });
  expect(approved).toMatchObject({ code: 0 });
  expect(approved.out).toMatch(
    /next {2}model-deployer resume-operation op_\w+ {2}carries it out; a `release`/,
  );

  const released = await cli(given, words);
  expect(released).toMatchObject({ code: 0 });
  expect(released.out).toMatch(/version 1 is in production\n.*\/predict\nnext {2}model-deployer status/);
  expect((await cli(given, words)).out).toBe(released.out);
});

test("a release stands aside while a worker is at what it began, and goes on when that is done", async () => {
  const given = await givenDeployer();
  const { leases } = given.database;
  const lease = await leases.acquire(ENDPOINT, { ttl_seconds: 600, preempt: false });
  const heard = new EventEmitter();
  const hear = (soFar: string) => soFar.includes("is in use") && heard.emit("in use");
  const told = once(heard, "in use");
  const releasing = cli(given, words, {}, undefined, hear);
  await told;
  await leases.release(lease);
  expect((await releasing).code).toBe(7);
});

test("the example is refused where the installation is a standard one, and a run that is not there where it is", async () => {
  const given = await givenDeployer();
  expect((await jsonErrorOf(given, ["example"])).error.message).toMatch(/init --demo/);
  expect((await jsonErrorOf(given, ["example", "--callers", "many"])).error.message).toMatch(
    /usual, larger or none/,
  );
  expect((await jsonErrorOf(given, ["release", "remission", "nosuch"])).error.code).toBe("not_found");
});
