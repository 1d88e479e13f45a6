import { expect, test } from "vitest";
import { ServiceRefusedError } from "../../../../src/agents/model_deployer/errors.ts";
import { resumeOperation } from "../../../../src/agents/model_deployer/operations/resume_operation.ts";
import {
  deploy,
  errorOf,
  givenDeployer,
  type GivenDeployer,
  promote,
  register,
} from "../../../support/given/given_deployer.ts";

const options = { signal: new AbortController().signal };

/** A deployment to staging whose call was cut off. */
async function givenCutOff(given: GivenDeployer, call: string) {
  const version = await register(given, "run1");
  await promote(given, version, "staging");
  given.wire.fail(call, { times: 1 });
  expect((await errorOf(deploy(given, version, "staging"))).retryable).toBe(true);
  const [row] = await given.world.sql("select operation_id as id from ml_operations where action = 'deploy'");
  return String(row?.["id"]);
}

test("an operation that was left is finished, and that is what is said, then and later", async () => {
  const given = await givenDeployer();
  const id = await givenCutOff(given, "router.apply");
  const finished = { operation_id: id, action: "deploy", outcome: "finished" };
  const told = await resumeOperation(given.capabilities, id, options);
  expect(told).toMatchObject(finished);
  expect(told.reason).toContain("Deploy e2i_remission version 1 at staging");
  expect(await resumeOperation(given.capabilities, id, options)).toEqual(told);
});

test("an operation that cannot be finished is undone, and the reason is told", async () => {
  const given = await givenDeployer();
  const id = await givenCutOff(given, "router.apply");
  given.wire.fail("router.apply", {
    error: new ServiceRefusedError("envoy", "the route is refused"),
    times: 1,
  });
  const { resumed } = await given.worker.tick();
  expect(resumed).toEqual([
    { operation_id: id, action: "deploy", outcome: "undone", reason: "the route is refused" },
  ]);
  await given.worker.tick();
  expect(await given.server.list()).toEqual([]);
});

test("what could not be taken back is told too", async () => {
  const given = await givenDeployer();
  const id = await givenCutOff(given, "router.apply");
  given.wire.fail("router.apply", { error: new ServiceRefusedError("envoy", "the route is refused") });
  const { outcome, reason } = await resumeOperation(given.capabilities, id, options);
  expect(outcome).toBe("undone");
  expect(reason).toMatch(/Not taken back: apply_route: the route is refused/);
});

test("a refusal is told as one; what waits for an approval or does not exist is a typed error", async () => {
  const given = await givenDeployer();
  const version = await register(given, "run1");
  await errorOf(promote(given, version, "production"));
  const [row] = await given.world.sql(
    "select operation_id as id from ml_operations where action = 'promote'",
  );
  expect(await resumeOperation(given.capabilities, String(row?.["id"]), options)).toMatchObject({
    outcome: "refused",
  });
  const missing = await errorOf(resumeOperation(given.capabilities, "op_missing", options));
  expect(missing).toMatchObject({ code: "not_found" });
});
