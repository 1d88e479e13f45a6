import { expect, test } from "vitest";
import {
  anotherProcess,
  errorOf,
  EXPERIMENT,
  givenDeployer,
  type GivenDeployer,
  register,
} from "../../../support/given/given_deployer.ts";

const MODEL = "e2i_remission";
const signal = new AbortController().signal;

/** One row in the database and one version in the registry. */
async function expectOneVersion(given: GivenDeployer, version: string) {
  const rows = await given.db.modelVersions.list(EXPERIMENT);
  expect(rows.map((row) => row.model_version_id)).toEqual([version]);
  expect((await errorOf(given.registry.describeVersion(MODEL, 2, { signal }))).code).toBe("not_found");
}

/** A registration that has made its plan, and goes on when it is told to. */
async function aPlannedRegistration(given: GivenDeployer, key: string) {
  const first = given.wire.hold("registry.describeRun");
  const registering = register(given, "run1", { request_id: key });
  await first.reached;
  const again = given.wire.hold("registry.describeRun");
  first.release();
  await again.reached;
  return { registering, release: again.release };
}

test("two registrations of one run under two keys: the later one answers with the version of the first", async () => {
  const given = await givenDeployer();
  const late = await aPlannedRegistration(given, "key-a");
  const version = await register(anotherProcess(given), "run1", { request_id: "key-b" });
  late.release();
  expect(await late.registering).toBe(version);
  await expectOneVersion(given, version);
  const operations = await given.world.sql("select status from ml_operations");
  expect(operations).toEqual([{ status: "succeeded" }, { status: "succeeded" }]);
});

test("a registration that was cut off after the registry's answer leaves no second version to the next one", async () => {
  const given = await givenDeployer();
  given.wire.fail("registry.registerVersion", { when: "after", times: 1 });
  const cutOff = await errorOf(register(given, "run1", { request_id: "key-a" }));
  expect(cutOff.code).toBe("service_unavailable");
  const version = await register(anotherProcess(given), "run1", { request_id: "key-b" });
  expect((await given.worker.tick()).resumed).toHaveLength(1);
  expect(await register(given, "run1", { request_id: "key-a" })).toBe(version);
  await expectOneVersion(given, version);
});
