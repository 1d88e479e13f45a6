import { expect, test } from "vitest";
import { EndpointCreationError, ServiceRefusedError } from "../../../../src/agents/model_deployer/errors.ts";
import {
  act,
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
  SESSION,
} from "../../../support/given/given_deployer.ts";

async function givenAtStaging(given: GivenDeployer): Promise<string> {
  const version = await register(given, "run1");
  await promote(given, version, "staging");
  return version;
}

const STAGING = `${ENDPOINT}_staging`;
const deployment = async (given: GivenDeployer) => (await given.db.deployments.listForEndpoint(STAGING))[0];
const due = (given: GivenDeployer) =>
  given.world.sql("update ml_outbox set next_attempt_at = clock_timestamp() where delivered_at is null");

test("a server that never becomes ready: typed with its log, the row failed, nothing left running", async () => {
  const given = await givenDeployer();
  const version = await givenAtStaging(given);
  given.server.breakModel("e2i_remission:v1", "ModuleNotFoundError: No module named 'xgboost'");
  const error = await errorOf(deploy(given, version, "staging"));
  expect(error).toBeInstanceOf(EndpointCreationError);
  expect(error.message).toContain("No module named 'xgboost'");
  expect(await deployment(given)).toMatchObject({ status: "failed" });
  expect(await given.server.list()).toEqual([]);
  expect(await given.db.endpoints.get(STAGING)).toMatchObject({ generation: 0, weights: {} });
  await given.worker.tick();
  expect(given.episodicMemory.episodes.at(-1)).toMatchObject({ event_subtype: "failure" });
});

test("a route that the router refuses is taken back, the server stopped, the deployment failed", async () => {
  const given = await givenDeployer();
  const { deployment: old } = await givenInProduction(given, "run1");
  const version = await register(given, "run2");
  await promote(given, version, "staging");
  await promote(given, version, "shadow");
  given.router.refuseNext("no such cluster");
  const error = await errorOf(deploy(given, version, "shadow"));
  expect(error).toBeInstanceOf(ServiceRefusedError);
  expect(error.message).toContain("no such cluster");
  const endpoint = await given.db.endpoints.get(ENDPOINT);
  expect(endpoint).toMatchObject({ weights: { [old]: 100 }, mirror_deployment_id: null });
  expect(endpoint?.observed_generation).toBe(endpoint?.generation);
  expect((await given.db.deployments.listForVersion(version))[0]).toMatchObject({ status: "failed" });
  expect(await given.server.list()).toEqual([old]);
});

test("MLflow down at a registration: typed, and no row", async () => {
  const given = await givenDeployer();
  given.wire.fail("registry.describeRun");
  const error = await errorOf(register(given, "run1"));
  expect(error).toMatchObject({ code: "service_unavailable", retryable: true });
  expect(await given.db.modelVersions.list(EXPERIMENT)).toEqual([]);
  given.wire.mend();
  expect(await register(given, "run1")).toMatch(/^mv_/);
});

test("MLflow down at a promotion: it succeeds, names what is late, and the outbox brings it later, once", async () => {
  const given = await givenDeployer();
  const version = await register(given, "run1");
  given.wire.fail("registry.projectStage");
  const state = await promote(given, version, "staging");
  expect(state.version_record?.current_stage).toBe("staging");
  expect(state.degraded?.join()).toMatch(/registry projection is caught up later/);
  expect(given.registry.projectionOf("e2i_remission", 1).stage).toBe("development");
  given.wire.mend();
  await due(given);
  await given.worker.tick();
  expect(given.registry.projectionOf("e2i_remission", 1)).toEqual({ stage: "staging", aliases: ["staging"] });
  const calls = given.wire.calls.length;
  await due(given);
  await given.worker.tick();
  expect(given.wire.calls.slice(calls)).not.toContain("registry.projectStage");
});

test("Redis and Supabase down: the action succeeds and names both", async () => {
  const given = await givenDeployer();
  const version = await givenAtStaging(given);
  given.workingMemory.down();
  given.episodicMemory.down();
  given.proceduralMemory.down();
  const request = { model_version_id: version, target_stage: "staging" as const, session_id: SESSION };
  const state = await act(given, "deploy", request);
  expect(state.deployment_manifest).toMatchObject({ status: "active" });
  expect(state.degraded?.join()).toMatch(/episodic memory.*procedural memory.*working memory/);
  given.episodicMemory.up();
  given.proceduralMemory.up();
  await due(given);
  await given.worker.tick();
  expect(given.episodicMemory.episodes.map((one) => one.event_subtype)).toContain("deployment");
});

test("a database that fails after the action is done does not make the action fail", async () => {
  const given = await givenDeployer();
  const version = await register(given, "run1");
  given.wire.fail("outbox.claim", { times: 1 });
  const state = await promote(given, version, "staging");
  expect(state.version_record?.current_stage).toBe("staging");
  expect(state.degraded?.join()).toContain("outbox");
});

test.each([
  ["router.open", "before"],
  ["router.open", "after"],
  ["packager.packageModel", "after"],
  ["server.start", "before"],
  ["server.start", "after"],
  ["router.apply", "before"],
  ["router.apply", "after"],
  ["journal.finish", "before"],
] as const)(
  "a deployment that is cut off at %s (%s its effect) is carried on by the worker",
  async (call, when) => {
    const given = await givenDeployer();
    const version = await givenAtStaging(given);
    given.wire.fail(call, { when, times: 1 });
    const error = await errorOf(deploy(given, version, "staging"));
    expect(error).toMatchObject({ code: "service_unavailable", retryable: true });
    const report = await given.worker.tick();
    expect(report.problems).toEqual([]);
    expect(report.resumed).toHaveLength(1);
    const row = await deployment(given);
    expect(row).toMatchObject({ status: "active", traffic_percentage: 100 });
    expect(given.server.started).toEqual([row?.deployment_id]);
    expect(given.packager.built).toEqual(["e2i_remission:v1"]);
    expect(given.episodicMemory.episodes.filter((one) => one.event_subtype === "deployment")).toHaveLength(1);
  },
);

test("a deployment that takes too long answers in_progress, and the worker ends what it began", async () => {
  const given = await givenDeployer({ settings: { patience_seconds: 0.3 } });
  const version = await givenAtStaging(given);
  given.wire.hang("server.start");
  const state = await act(given, "deploy", { model_version_id: version, target_stage: "staging" });
  expect(state).toMatchObject({ status: "in_progress", deployment_manifest: { status: "deploying" } });
  expect(state.deployment_manifest?.traffic.weights).toEqual([]);
  expect(state.warnings?.join()).toContain("a worker carries it on");
  given.wire.mend();
  expect((await given.worker.tick()).resumed).toMatchObject([
    { operation_id: state.operation_id, outcome: "finished" },
  ]);
  expect(await deployment(given)).toMatchObject({ status: "active" });
});

test("the database down at the start: typed, and nothing outside was asked", async () => {
  const given = await givenDeployer();
  await given.db.close();
  const error = await errorOf(register(given, "run1"));
  expect(error.code).toBe("service_unavailable");
  expect(given.wire.calls.filter((call) => !call.startsWith("journal."))).toEqual([]);
});

test("an endpoint in use is a conflict that names who has it and since when", async () => {
  const given = await givenDeployer();
  const version = await givenAtStaging(given);
  const other = anotherProcess(given);
  await other.db.leases.acquire(STAGING, { ttl_seconds: 30, preempt: false });
  const error = await errorOf(deploy(given, version, "staging"));
  expect(error).toMatchObject({ code: "conflict", retryable: true });
  expect(error.message).toMatch(new RegExp(`${STAGING} is in use: process-.* holds it since 20`));
  expect(await given.server.list()).toEqual([]);
});

test("a deployment that is given up and cut off while it is undone is undone for the reason that it failed for", async () => {
  const given = await givenDeployer();
  const version = await givenAtStaging(given);
  given.router.refuseNext("no such cluster");
  given.wire.fail("server.stop", { error: new RangeError("the process is gone"), times: 1 });
  await expect(deploy(given, version, "staging")).rejects.toThrow(RangeError);
  const { resumed } = await given.worker.tick();
  expect(resumed).toMatchObject([{ outcome: "undone" }]);
  expect(resumed[0]?.reason).toContain("no such cluster");
  const [operation] = await given.world.sql(
    "select status, error ->> 'code' as code from ml_operations where action = 'deploy'",
  );
  expect(operation).toEqual({ status: "failed", code: "service_refused" });
  expect(await given.server.list()).toEqual([]);
});
