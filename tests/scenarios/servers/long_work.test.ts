import { expect, test } from "vitest";
import { EndpointCreationError } from "../../../src/agents/model_deployer/errors.ts";
import {
  act,
  createTestDeployer,
  deploy,
  deployAtOnce,
  deployState,
  ENDPOINT,
  errorOf,
  inProduction,
  promote,
  promoteWithApproval,
  readyForProduction,
  recordProgress,
  register,
  registerState,
  type TestDeployer,
  type TestDeployerOptions,
} from "../../../src/testing/index.ts";

/** Versions 1 and 2 have served, the second does; a third one waits at the stage shadow. */
async function givenThird(options: TestDeployerOptions = {}) {
  const given = await createTestDeployer(options);
  const first = await inProduction(given, "run1");
  const second = await secondAtOnce(given);
  const third = await atShadow(given, "run3");
  await given.worker.tick();
  return { given, first, second, third };
}

async function atShadow(given: TestDeployer, run: string): Promise<string> {
  const version = await register(given, run);
  await promote(given, version, "staging");
  await promote(given, version, "shadow");
  return version;
}

const signal = new AbortController().signal;

async function secondAtOnce(given: TestDeployer) {
  const version = await readyForProduction(given, "run2");
  await promoteWithApproval(given, version);
  return deployAtOnce(given, version);
}

const statusOf = async ({ database }: TestDeployer, id: string) =>
  (await database.operations.get(id))?.status ?? "none";

const toShadow = (version: string) =>
  deployState({ model_version_id: version, target_stage: "shadow", rollout: undefined });

test("while an environment is made for a candidate, production is looked after", async () => {
  const given = await createTestDeployer();
  const { deployment } = await inProduction(given, "run1");
  const candidate = await atShadow(given, "run2");
  const made = given.wire.hold("packager.prepareServing");
  const deploying = deploy(given, candidate, "shadow");
  await made.reached;
  given.server.crash(deployment);
  const { findings, in_use } = await given.capabilities.reconciler.reconcile({ signal });
  expect(findings).toMatchObject([{ subject: deployment, outcome: "repaired" }]);
  expect(in_use).toEqual([]);
  made.release();
  const { deployment_id } = await deploying;
  expect((await given.database.endpoints.get(ENDPOINT))?.mirror_deployment_id).toBe(deployment_id);
});

test("while an environment is made, its endpoint is rolled back, and the deployment is planned for what is there then", async () => {
  const { given, first, second, third } = await givenThird();
  const made = given.wire.hold("packager.prepareServing");
  const deploying = deploy(given, third, "shadow");
  await made.reached;
  await act(given, "rollback", { current_deployment_id: second.deployment_id, rollback_reason: "not well" });
  expect((await given.database.endpoints.get(ENDPOINT))?.weights).toMatchObject({ [first.deployment]: 100 });
  made.release();
  const shadow = await deploying;
  const endpoint = await given.database.endpoints.get(ENDPOINT);
  expect(endpoint?.weights).toMatchObject({ [first.deployment]: 100 });
  expect(endpoint?.mirror_deployment_id).toBe(shadow.deployment_id);
});

test("an answer whose time is over says what is under way, and a worker carries it on", async () => {
  const { given, third } = await givenThird({ settings: { patience_seconds: 0.3 } });
  given.wire.hang("packager.prepareServing");
  const answer = await given.agent.execute(toShadow(third));
  expect(answer.status).toBe("in_progress");
  expect(answer.deployment_manifest?.status).toBe("deploying");
  const id = answer.operation_id ?? "";
  expect(await statusOf(given, id)).toBe("preparing");
  expect(await given.database.deployments.get(answer.deployment_manifest?.deployment_id ?? "")).toBeNull();

  given.wire.mend();
  const { resumed, progress, problems } = await given.worker.tick();
  expect(problems).toEqual([]);
  expect(resumed).toMatchObject([{ operation_id: id, outcome: "finished" }]);
  expect(progress).toEqual([expect.stringMatching(/^op_\w+: the environment of \S+ is made$/)]);
  const [made] = await given.database.deployments.listForVersion(third);
  expect(made).toMatchObject({ operation_id: id, status: "active" });
});

test("the same request again waits for the same environment, and a worker leaves it alone meanwhile", async () => {
  const { given, third } = await givenThird();
  const made = given.wire.hold("packager.prepareServing");
  const first = given.agent.execute(toShadow(third));
  await made.reached;
  expect((await given.worker.tick()).resumed).toEqual([]);
  const second = await given.agent.execute(toShadow(third));
  expect(second.deployment_manifest?.status).toBe("active");
  made.release();
  expect(await first).toMatchObject({ operation_id: second.operation_id });
  expect(given.packager.prepared.filter((tag) => tag === second.deployment_manifest?.bento_tag)).toHaveLength(
    1,
  );
});

test("one whose preparer died is carried on when its lease is over, whoever asked for it is gone", async () => {
  const { given, third } = await givenThird();
  given.wire.fail("packager.prepareServing", { times: 1 });
  const error = await errorOf(given.agent.execute(toShadow(third)));
  expect(error).toMatchObject({ code: "service_unavailable", retryable: true });
  const [left] = await unfinished(given);
  expect(left?.status).toBe("preparing");
  const lease = { ttl_seconds: 30, preempt: false };
  const id = left?.operation_id ?? "";
  await given.database.journal.prepare(
    id,
    (await given.database.operations.get(id))?.plan ?? never(),
    await given.database.leases.acquire(`operation/${id}`, lease),
  );
  expect((await given.worker.tick()).resumed).toEqual([]);
  given.passTime({ minutes: 1 });
  expect((await given.worker.tick()).resumed).toMatchObject([{ outcome: "finished" }]);
});

test("what cannot be made for good ends the deployment as failed, with nothing left of it", async () => {
  const { given, third } = await givenThird();
  const reason = "the model's requirements cannot be installed: no such package";
  given.wire.fail("packager.prepareServing", { error: new EndpointCreationError(reason) });
  const error = await errorOf(given.agent.execute(toShadow(third)));
  expect(error).toMatchObject({ code: "endpoint_creation_failed", message: reason });
  expect(given.wire.calls.filter((call) => call === "packager.prepareServing")).not.toHaveLength(0);
  const [last] = await given.database.deployments.listForVersion(third);
  expect(last).toMatchObject({ status: "failed" });
  expect(await unfinished(given)).toEqual([]);
  expect(await given.server.list()).not.toContain(last?.deployment_id);
});

test("what takes long is told to whoever listens to the run", async () => {
  const { given, third } = await givenThird();
  const told = await recordProgress(given, toShadow(third));
  expect(told.filter(({ event }) => event === "under_way").map(({ message }) => message)).toEqual([
    "the artifact runs:/run3/model: fetching 1 files",
    expect.stringMatching(/^the environment of \S+ is made$/),
  ]);
});

test("between its preparation and its plan nobody takes an operation for one that was left", async () => {
  const given = await createTestDeployer();
  await inProduction(given, "run1");
  const candidate = await atShadow(given, "run2");
  const made = given.wire.hold("packager.prepareServing");
  const deploying = deploy(given, candidate, "shadow");
  await made.reached;
  const planned = given.wire.hold("deployments.listForEndpoint");
  made.release();
  await planned.reached;
  given.wire.calls.length = 0;
  await given.worker.tick();
  expect(given.wire.calls.filter((call) => call.startsWith("packager."))).toEqual([]);
  planned.release();
  expect(await deploying).toMatchObject({ status: "active" });
});

test("fetching the artifact of a run that is registered is told as it goes on", async () => {
  const given = await createTestDeployer();
  const told = await recordProgress(given, registerState({ mlflow_run_id: "run1" }));
  const lines = told.filter(({ event, step }) => event === "under_way" && step === "pin_artifact");
  expect(lines.map(({ message }) => message)).toEqual([
    expect.stringMatching(/^the artifact runs:\/run1\/model: fetching \d+ files$/),
  ]);
});

const unfinished = ({ database }: TestDeployer) => database.operations.takeUnfinished(10);

function never(): never {
  return expect.unreachable();
}
