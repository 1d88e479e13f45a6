import { expect, test } from "vitest";
import {
  act,
  approve,
  createTestDeployer,
  deploy,
  deployAtOnce,
  ENDPOINT,
  errorOf,
  EXPERIMENT,
  inProduction,
  promote,
  promoteWithApproval,
  readyForProduction,
  register,
  type TestDeployer,
} from "../../src/testing/index.ts";
import { modelDeployerRequestOf } from "../support/decisions/followed.ts";

const rollBack = (given: TestDeployer, current_deployment_id: string) =>
  act(given, "rollback", { current_deployment_id, rollback_reason: "callers get nonsense" });

const weightsOf = async ({ database }: TestDeployer) => (await database.endpoints.get(ENDPOINT))?.weights;

/** Asks through the agent, has it approved where that is needed, and asks again. */
async function asked(given: TestDeployer, request: ReturnType<typeof modelDeployerRequestOf>) {
  const error = await errorOf(given.agent.execute(request));
  expect(error.code, error.message).toBe("approval_required");
  expect(error).toMatchObject({ retryable: false, next: [{ action: "approve", who: "somebody_else" }] });
  await approve(given, String(error.details["operation_id"]));
  return given.agent.execute(request);
}

const steps = { steps: [10, 100].map((weight) => ({ weight, bake_seconds: 60 })) };

/** Version 1 serves; 2 was rolled back for an outage that was none of its fault, 3 came and went. */
async function givenInnocent() {
  const given = await createTestDeployer();
  const first = await inProduction(given, "run1");
  const second = await inProduction(given, "run2", { rollout: steps });
  await rollBack(given, second.deployment);
  given.passTime({ hours: 2 });
  const third = await inProduction(given, "run3", { rollout: steps });
  await rollBack(given, third.deployment);
  given.passTime({ hours: 2 });
  return { given, first, second, third };
}

test("archived by mistake: each of the four that used to refuse in a circle names a way that ends with an answer", async () => {
  const ends: string[] = [];
  for (const name of ["rollback", "deploy", "promote", "register"] as const) {
    const given = await createTestDeployer();
    const { version, deployment } = await inProduction(given, "run1");
    await promoteWithApproval(given, version, "archived");
    if (name === "register") {
      const again = await register(given, "run1");
      expect(again).not.toBe(version);
      expect(await given.database.modelVersions.get(again)).toMatchObject({
        stage: "development",
        earlier_version_id: version,
        artifact_digest: (await given.database.modelVersions.get(version))?.artifact_digest,
      });
      await act(given, "rollback", { endpoint_name: ENDPOINT, rollback_reason: "archived by mistake" });
    } else {
      const refused = {
        rollback: () => rollBack(given, deployment),
        deploy: () => deploy(given, version, "production"),
        promote: () => promote(given, version, "production"),
      }[name];
      const { next, retryable } = await errorOf(refused());
      expect(retryable).toBe(false);
      const back = next.find(({ action }) => action === "rollback");
      await given.agent.execute(modelDeployerRequestOf(back));
    }
    expect(await weightsOf(given)).toEqual({ [deployment]: 100 });
    expect((await given.database.modelVersions.get(version))?.stage).toBe("production");
    ends.push(name);
  }
  expect(ends).toHaveLength(4);
});

test("the innocent begins its rollout anew, by an approval that shows why it went back and what served since", async () => {
  const { given, first, second, third } = await givenInnocent();
  const { next } = await errorOf(promote(given, second.version, "production"));
  const retry = next.find(({ action }) => action === "retry");
  const request = modelDeployerRequestOf(retry);
  const error = await errorOf(given.agent.execute(request));
  const operation = await given.database.operations.get(String(error.details["operation_id"]));
  const told = operation?.plan?.notes.join("\n") ?? "";
  expect(told).toContain("was rolled back");
  expect(told).toContain(`At production since then: ${first.version} from`);
  expect(told).toContain(third.version);
  await approve(given, String(error.details["operation_id"]));
  const answer = await given.agent.execute(request);
  expect(answer.deployment_manifest).toMatchObject({ model_version_id: second.version });
  expect(await weightsOf(given)).toMatchObject({ [first.deployment]: 98 });
  expect((await given.database.modelVersions.get(second.version))?.stage).toBe("production");
});

test("a shadow that is older than the policy says lets nobody return; the run is registered again, and goes through it", async () => {
  const { given, second } = await givenInnocent();
  given.passTime({ hours: 31 * 24 });
  const { next } = await errorOf(promote(given, second.version, "production"));
  const retry = modelDeployerRequestOf(next.find(({ action }) => action === "retry"));
  const refused = await errorOf(given.agent.execute(retry));
  expect(refused).toMatchObject({ code: "production_criteria_not_met", retryable: false });
  expect(refused.details["unmet"]).toMatchObject([{ criterion: "shadow_age", required: "at most 30 days" }]);
  const again = refused.next.find(({ action }) => action === "register");
  const { version_record } = await given.agent.execute(modelDeployerRequestOf(again));
  expect(version_record).toMatchObject({ current_stage: "development" });
  const version = await given.database.modelVersions.get(version_record?.model_version_id ?? "");
  expect(version?.earlier_version_id).toBe(second.version);
  expect(await register(given, "run2")).toBe(version?.model_version_id);
});

test("two who register a run again at once get one version", async () => {
  const { given, second } = await givenInnocent();
  const both = await Promise.allSettled([register(given, "run2"), register(given, "run2")]);
  const [one] = both.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
  expect(one).not.toBe(second.version);
  expect(await register(given, "run2")).toBe(one);
  expect(await given.database.modelVersions.list(EXPERIMENT)).toHaveLength(4);
});

test("a version that lacks nothing but time is told from when on asking again makes sense, and gets through then", async () => {
  const given = await createTestDeployer();
  const version = await register(given, "run1");
  await promote(given, version, "staging");
  await promote(given, version, "shadow");
  const early = await errorOf(promote(given, version, "production"));
  expect(early).toMatchObject({ retryable: false, not_before: null, next: [{ action: "deploy" }] });
  await given.agent.execute(modelDeployerRequestOf(early.next[0]));
  given.router.sendTraffic(ENDPOINT, 1000);
  const request = {
    deployment_action: "promote",
    model_version_id: version,
    target_stage: "production",
  } as const;
  const waits = await errorOf(given.agent.execute({ ...request, request_id: "pipeline-1" }));
  expect(waits).toMatchObject({ code: "production_criteria_not_met", retryable: true, next: [] });
  const seconds = (Date.parse(waits.not_before ?? "") - Date.parse(await given.database.clock.now())) / 1000;
  expect(seconds).toBeGreaterThan(23.9 * 3600);
  given.passTime({ seconds: seconds - 60 });
  expect((await errorOf(given.agent.execute(request))).code).toBe("production_criteria_not_met");
  given.passTime({ seconds: 61 });
  await asked(given, { ...request, request_id: "pipeline-1" });
});

test("a conflict that no waiting resolves says so, and what can be done instead", async () => {
  const { given, first, second } = await givenInnocent();
  const version = await readyForProduction(given, "run4");
  await promoteWithApproval(given, version);
  const { rollout } = await deployAtOnce(given, version);
  const id = rollout?.rollout_id ?? (await given.database.history.lastRollout(ENDPOINT))?.rollout_id ?? "";
  const control = (action: string) =>
    errorOf(act(given, action, { rollout_id: id, rollout_reason: "somebody asked" }));
  const completed = await control("pause");
  expect(completed).toMatchObject({ code: "conflict", retryable: false, next: [{ action: "rollback" }] });
  const serves = await control("retry");
  expect(serves).toMatchObject({ code: "conflict", retryable: false, next: [] });
  expect(serves.message).toContain("there is nothing to retry");
  const back = await errorOf(
    act(given, "rollback", { endpoint_name: ENDPOINT, rollback_to: version, rollback_reason: "again" }),
  );
  expect(back).toMatchObject({ code: "conflict", retryable: false });
  expect(back.next.map(({ request }) => request?.["rollback_to"])).toContain(first.deployment);
  expect(back.next.map(({ request }) => request?.["rollback_to"])).toContain(second.deployment);
});

test("whoever names what does not exist is told the command that shows what does, or makes it", async () => {
  const given = await createTestDeployer();
  const reason = "by mistake";
  const asked: [Parameters<TestDeployer["agent"]["execute"]>[0], string][] = [
    [
      { deployment_action: "register", experiment_id: "none", mlflow_run_id: "run1" },
      "experiments create none",
    ],
    [{ deployment_action: "promote", model_version_id: "mv_none", target_stage: "staging" }, "versions"],
    [{ deployment_action: "deploy", model_version_id: "mv_none", target_stage: "staging" }, "versions"],
    [
      { deployment_action: "rollback", current_deployment_id: "deploy_none", rollback_reason: reason },
      "status",
    ],
    [{ deployment_action: "rollback", endpoint_name: "none", rollback_reason: reason }, "status"],
    [{ deployment_action: "remove", deployment_id: "deploy_none", removal_reason: reason }, "deployments"],
    [{ deployment_action: "restart", deployment_id: "deploy_none", restart_reason: reason }, "deployments"],
    [{ deployment_action: "pause", endpoint_name: "none", rollout_reason: reason }, "status"],
  ];
  for (const [request, words] of asked) {
    const error = await errorOf(given.agent.execute(request));
    expect(error, request.deployment_action).toMatchObject({ code: "not_found", retryable: false });
    expect(error.next.map(({ command }) => command).join()).toContain(`model-deployer ${words}`);
  }
});

test.each([
  ["slow", { p99_ms: 11_984 }, "shadow_p99_ms"],
  ["failing", { error_rate: 0.2 }, "shadow_error_rate"],
])(
  "a shadow that was %s for what was around it is put under mirrored traffic anew, as the refusal says",
  async (_, behaviour, criterion) => {
    const given = await createTestDeployer();
    const version = await register(given, "run1");
    await promote(given, version, "staging");
    await promote(given, version, "shadow");
    const { deployment_id } = await deploy(given, version, "shadow");
    given.router.sendTraffic(ENDPOINT, 1000, { [deployment_id]: behaviour });
    given.passTime({ hours: 24 });
    const refused = await errorOf(promote(given, version, "production"));
    expect(refused).toMatchObject({ code: "production_criteria_not_met", retryable: false });
    expect(refused.details["unmet"]).toMatchObject([{ criterion }]);
    expect(refused.next.map(({ action }) => action)).toEqual(["remove"]);
    await given.agent.execute(modelDeployerRequestOf(refused.next[0]));
    const { next } = await errorOf(promote(given, version, "production"));
    await given.agent.execute(modelDeployerRequestOf(next[0]));
    given.router.sendTraffic(ENDPOINT, 1000);
    given.passTime({ hours: 24 });
    await promoteWithApproval(given, version);
    await deploy(given, version, "production");
    expect(Object.values((await weightsOf(given)) ?? {})).toEqual([100]);
  },
);
