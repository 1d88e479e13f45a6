import { expect, test } from "vitest";
import { z } from "zod";
import { AgentError } from "../../../src/errors.ts";
import {
  act,
  createTestDeployer,
  deployAtOnce,
  ENDPOINT,
  errorOf,
  inProduction,
  promoteWithApproval,
  readyForProduction,
  type Request,
  type TestDeployer,
} from "../../../src/testing/index.ts";

const signal = new AbortController().signal;

const rollBack = (given: TestDeployer, request: Request = {}) =>
  act(given, "rollback", { endpoint_name: ENDPOINT, rollback_reason: "callers get nonsense", ...request });

const archive = (given: TestDeployer, version: string) => promoteWithApproval(given, version, "archived");

const stageOf = async ({ database }: TestDeployer, version: string) =>
  (await database.modelVersions.get(version))?.stage;

/** The router has the database's route, and the deployment answers. */
async function expectServing(given: TestDeployer, deployment: string): Promise<void> {
  const weights = { [deployment]: 100 };
  expect(await given.database.endpoints.get(ENDPOINT)).toMatchObject({ weights });
  expect(await given.router.observe(ENDPOINT, { signal })).toMatchObject({ weights });
  expect(await given.server.observe(deployment, { signal })).toMatchObject({ state: "ready" });
  expect(await given.database.deployments.get(deployment)).toMatchObject({
    status: "active",
    drain_due_at: null,
    drained_at: null,
  });
}

/** Each of these versions served all traffic once, the last one does now. */
async function givenServed(...runs: string[]) {
  const given = await createTestDeployer();
  const served = [];
  for (const run of runs) {
    if (served.length === 0) {
      served.push(await inProduction(given, run));
      continue;
    }
    const version = await readyForProduction(given, run);
    await promoteWithApproval(given, version);
    served.push({ version, deployment: (await deployAtOnce(given, version)).deployment_id });
  }
  return { given, served };
}

test("production that was archived by mistake answers again at once, by the endpoint's name and nobody's leave", async () => {
  const { given, served } = await givenServed("run1");
  const [{ version, deployment } = { version: "", deployment: "" }] = served;
  const started = [...given.server.started];
  await archive(given, version);
  expect(await given.router.observe(ENDPOINT, { signal })).toBeNull();
  const answer = await rollBack(given);
  expect(answer).toMatchObject({ rollback_successful: true, active_deployment_id: deployment });
  await expectServing(given, deployment);
  expect(await stageOf(given, version)).toBe("production");
  expect(given.server.started).toEqual(started);
  expect((await given.database.history.list("remission")).at(-1)).toMatchObject({
    kind: "rollback",
    from_stage: "archived",
    to_stage: "production",
  });
  await given.worker.tick();
  await expectServing(given, deployment);
});

test("the drain of what was archived is called off; where its server is gone it is started again from its bento", async () => {
  const { given, served } = await givenServed("run1");
  const [{ version, deployment } = { version: "", deployment: "" }] = served;
  await archive(given, version);
  given.passTime({ seconds: 1 });
  await given.worker.tick();
  expect(await given.server.observe(deployment, { signal })).toMatchObject({ state: "absent" });
  given.wire.fail("registry.fetchArtifact");
  const answer = await rollBack(given);
  expect(answer.warnings?.join(" ")).toContain("starts cold in about");
  given.wire.mend();
  await expectServing(given, deployment);
});

test("while somebody stops its server, the way back waits for that and no longer", async () => {
  const { given, served } = await givenServed("run1");
  const [{ version, deployment } = { version: "", deployment: "" }] = served;
  await archive(given, version);
  given.passTime({ seconds: 1 });
  const stop = given.wire.hold("server.stop");
  const drained = given.worker.tick();
  await stop.reached;
  const back = rollBack(given);
  stop.release();
  await drained;
  await back;
  await expectServing(given, deployment);
  given.passTime({ minutes: 10 });
  await given.worker.tick();
  await expectServing(given, deployment);
});

test("three back by name in one move: no traffic on the two bad ones between", async () => {
  const { given, served } = await givenServed("run1", "run2", "run3", "run4");
  const [first, second, third, fourth] = served;
  const applied = given.router.applied.length;
  await rollBack(given, { rollback_to: second?.version ?? "" });
  await expectServing(given, second?.deployment ?? "");
  expect(given.router.applied.slice(applied).map(({ weights }) => weights)).toEqual([
    { [second?.deployment ?? ""]: 100 },
  ]);
  expect(await stageOf(given, second?.version ?? "")).toBe("production");
  expect(await stageOf(given, fourth?.version ?? "")).toBe("archived");
  expect(await given.database.deployments.get(fourth?.deployment ?? "")).toMatchObject({
    status: "rolled_back",
  });
  expect(await given.database.deployments.get(third?.deployment ?? "")).toMatchObject({ status: "draining" });
  given.passTime({ minutes: 10 });
  await rollBack(given);
  await expectServing(given, first?.deployment ?? "");
});

test("the plan of a way back by name says what is warm, why it left production and who said so", async () => {
  const { given, served } = await givenServed("run1", "run2", "run3");
  const [, second] = served;
  await rollBack(given);
  await expectServing(given, second?.deployment ?? "");
  const third = served[2]?.deployment ?? "";
  const asked = { rollback_to: third, condemned_because: "the feature store was away, not the model" };
  const answer = await rollBack(given, asked);
  const told = answer.deployment_plan?.notes.join("\n") ?? "";
  expect(told).toContain(`${third} is warm`);
  expect(told).toMatch(/was rolled back at \S+ by ana: callers get nonsense/);
  expect(told).toContain("It serves again because: the feature store was away");
  await expectServing(given, third);
});

test("what was condemned needs it said again in words, and nothing else", async () => {
  const { given, served } = await givenServed("run1", "run2");
  const [, second] = served;
  await rollBack(given);
  const refused = await errorOf(rollBack(given, { rollback_to: second?.deployment ?? "" }));
  expect(refused).toMatchObject({ code: "rollback_failed", retryable: false });
  expect(refused.message).toContain("Say with condemned_because why it may serve again");
  expect(refused.next[0]).toMatchObject({
    action: "rollback",
    who: "person",
    request: { rollback_to: second?.deployment, condemned_because: "..." },
    command: `model-deployer rollback ${ENDPOINT} --to ${second?.deployment} --condemned-because "..." --reason "..."`,
  });
  await rollBack(given, { rollback_to: second?.deployment ?? "", condemned_because: "it was not its fault" });
  await expectServing(given, second?.deployment ?? "");
});

test("a way back by name ends the rollout under way, and what that leaves stays warm", async () => {
  const { given, served } = await givenServed("run1", "run2");
  const [first, second] = served;
  const third = await inProduction(given, "run3");
  await rollBack(given, { rollback_to: first?.version ?? "" });
  await expectServing(given, first?.deployment ?? "");
  expect(await given.database.rollouts.getOpen(ENDPOINT)).toBeNull();
  expect(await given.database.deployments.get(third.deployment)).toMatchObject({ status: "rolled_back" });
  expect(await given.database.deployments.get(second?.deployment ?? "")).toMatchObject({
    status: "draining",
  });
  expect(await stageOf(given, first?.version ?? "")).toBe("production");
  expect(await stageOf(given, third.version)).toBe("archived");
  const ended = await given.database.history.lastRollout(ENDPOINT);
  expect(ended).toMatchObject({ status: "rolled_back", deployment_id: third.deployment });
});

test("what can't come back is refused with what can", async () => {
  const { given, served } = await givenServed("run1", "run2");
  const [first, second] = served;
  const never = await readyForProduction(given, "run3");
  const back = { action: "rollback", request: { rollback_to: first?.deployment } };
  const refused = (to: string) => errorOf(rollBack(given, { rollback_to: to }));
  expect(await refused("mv_nothing")).toMatchObject({ code: "not_found", next: [back] });
  const neverServed = await refused(never);
  expect(neverServed.message).toContain("has never served production");
  expect(neverServed.next).toMatchObject([
    { action: "promote", request: { target_stage: "production" } },
    back,
  ]);
  const already = await refused(second?.version ?? "");
  expect(already).toMatchObject({ code: "conflict", retryable: false, next: [back] });
  expect(already.message).toContain("serves all traffic of e2i_remission already");
  await given.database.experiments.create(
    {
      experiment_id: "relapse",
      experiment_name: "Relapse",
      prediction_target: "relapse",
      minimum_auc: 0.8,
      minimum_precision_at_k: null,
      maximum_fpr: null,
    },
    "ana",
  );
  const stranger = await act(given, "register", { experiment_id: "relapse", mlflow_run_id: "run4" });
  const foreign = await refused(stranger.version_record?.model_version_id ?? "");
  expect(foreign.message).toContain("belongs to experiment relapse");
  expect(foreign.next).toMatchObject([back]);
});

test("one whose bento was pruned and whose files are gone is refused typed, with what can still be done", async () => {
  const { given, served } = await givenServed("run1", "run2", "run3");
  const [first, second] = served;
  given.passTime({ hours: 2 });
  await given.worker.tick();
  const tag = (await given.database.deployments.get(first?.deployment ?? ""))?.bento_tag ?? "";
  given.packager.lose(tag);
  given.registry.removeArtifacts("run1");
  const refused = await errorOf(rollBack(given, { rollback_to: first?.version ?? "" }));
  expect(refused).toMatchObject({ code: "not_found", retryable: false });
  expect(refused.next).toMatchObject([{ action: "rollback", request: { rollback_to: second?.deployment } }]);
  await expectServing(given, served[2]?.deployment ?? "");
});

test("of two who go back to different versions at the same moment one wins, and the other is told", async () => {
  const { given, served } = await givenServed("run1", "run2", "run3");
  const [first, second] = served;
  const to = (deployment = "") => rollBack(given, { rollback_to: deployment });
  const both = await Promise.allSettled([to(first?.deployment), to(second?.deployment)]);
  const endpoint = await given.database.endpoints.get(ENDPOINT);
  const [serves = ""] = Object.keys(endpoint?.weights ?? {});
  expect([first?.deployment, second?.deployment]).toContain(serves);
  await expectServing(given, serves);
  const lost = both.filter((one) => one.status === "rejected");
  const errors = z.array(z.instanceof(AgentError)).parse(lost.map(({ reason }): unknown => reason));
  for (const { code } of errors) expect(code).toMatch(/conflict|rollback/);
});
