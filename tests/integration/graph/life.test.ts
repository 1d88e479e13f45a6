import { randomUUID } from "node:crypto";
import { Command } from "@langchain/langgraph";
import { expect, test } from "vitest";
import {
  act,
  approve,
  deploy,
  ENDPOINT,
  errorOf,
  EXPERIMENT,
  givenDeployer,
  givenInProduction,
  givenReadyForProduction,
  liveThread,
  promote,
  promoteWithApproval,
  questionOf,
  register,
  SESSION,
} from "../../support/given/given_deployer.ts";

test("a run is registered once: pinned, at development, and shown in the registry", async () => {
  const given = await givenDeployer();
  const version = await register(given, "run1");
  const row = await given.db.modelVersions.get(version);
  expect(row).toMatchObject({ stage: "development", version: 1, model_name: "e2i_remission" });
  expect(row?.artifact_digest).toMatch(/^[0-9a-f]{64}$/);
  expect(row?.metrics).toEqual({ test_auc: 0.9 });
  expect(given.registry.projectionOf("e2i_remission", 1).stage).toBe("development");
  expect(await register(given, "run1")).toBe(version);
  expect(await given.db.modelVersions.list(EXPERIMENT)).toHaveLength(1);
});

test("a version walks through its stages, is served at each, and the history says so", async () => {
  const given = await givenDeployer();
  const version = await register(given, "run1");
  const promoted = await promote(given, version, "staging", { promotion_reason: "looks good" });
  expect(promoted.version_record).toMatchObject({
    model_version_id: version,
    previous_stage: "development",
    current_stage: "staging",
    promoted_by: "ana",
    promotion_reason: "looks good",
    metrics_at_promotion: { test_auc: 0.9 },
  });
  const staging = await deploy(given, version, "staging");
  expect(staging).toMatchObject({ endpoint_name: `${ENDPOINT}_staging`, status: "active" });
  await promote(given, version, "shadow");
  const shadow = await deploy(given, version, "shadow");
  expect(shadow.traffic).toMatchObject({ weights: [], mirror_deployment_id: shadow.deployment_id });
  const history = await given.db.history.list(EXPERIMENT);
  expect(history.filter((one) => one.kind !== "traffic").map((one) => one.to_stage)).toEqual([
    "development",
    "staging",
    "shadow",
  ]);
  expect(given.registry.projectionOf("e2i_remission", 1)).toEqual({ stage: "shadow", aliases: ["shadow"] });
});

test("the first in production gets all traffic; its manifest is what database, router and memory say", async () => {
  const given = await givenDeployer();
  const { version, deployment, manifest } = await givenInProduction(given, "run1", { session_id: SESSION });
  expect(manifest).toMatchObject({
    model_version_id: version,
    experiment_id: EXPERIMENT,
    target_stage: "production",
    bento_tag: "e2i_remission:v1",
    status: "active",
    rollout: null,
    deployed_by: "model_deployer",
  });
  expect(manifest.endpoint_url).toMatch(/^http:/);
  expect(manifest.traffic.weights).toEqual([{ deployment_id: deployment, weight: 100 }]);
  const observed = await given.router.observe(ENDPOINT, { signal: AbortSignal.timeout(120_000) });
  expect(observed).toMatchObject({ weights: { [deployment]: 100 }, generation: manifest.traffic.generation });
  const row = await given.db.deployments.get(deployment);
  expect(row).toMatchObject({
    status: "active",
    traffic_percentage: 100,
    endpoint_url: manifest.endpoint_url,
  });
  const remembered = await given.workingMemory.recallManifest(SESSION, {
    signal: AbortSignal.timeout(120_000),
  });
  expect(remembered).toEqual(manifest);
  const served = await given.db.history.inProductionAt(ENDPOINT, await given.db.clock.now());
  expect(served).toEqual([{ model_version_id: version, weight: 100 }]);
  expect(given.registry.projectionOf("e2i_remission", 1).aliases).toEqual(["production"]);
});

test("its own shadow ends with the deployment to production, whose server the shadow's becomes", async () => {
  const given = await givenDeployer();
  const version = await givenReadyForProduction(given, "run1");
  const [shadow] = await given.db.deployments.listForVersion(version);
  expect(await given.server.list()).toContain(shadow?.deployment_id);
  await promoteWithApproval(given, version);
  const { deployment_id } = await deploy(given, version, "production");
  expect(await given.server.list()).toEqual([deployment_id]);
  await given.worker.tick();
  expect(await given.server.list()).toEqual([deployment_id]);
  const [, ended] = await given.db.deployments.listForVersion(version);
  expect(ended).toMatchObject({ deployment_id: shadow?.deployment_id, status: "draining" });
});

test("an approval is waited for; whatever else is answered, the run stays interrupted and says why", async () => {
  const given = await givenDeployer();
  const version = await givenReadyForProduction(given, "run1");
  const config = liveThread();
  const request = { model_version_id: version, target_stage: "production" as const };
  const waiting = await given.graph.invoke({ deployment_action: "promote", ...request }, config);
  const question = questionOf(waiting);
  expect(question).toMatchObject({ approvals_needed: 1, approvals_given: 0, refused: null });
  const resume = (answer: unknown) => given.graph.invoke(new Command({ resume: answer }), config);
  expect(questionOf(await resume(true)).refused).toMatch(/goes on with \{ approval_id \} only/);
  expect(questionOf(await resume({ approval_id: "approval_made_up" })).refused).toMatch(
    /approval_made_up is no valid approval/,
  );
  expect((await given.db.modelVersions.get(version))?.stage).toBe("shadow");
  const { approval_id } = await approve(given, question.operation_id);
  const done = await resume({ approval_id });
  expect(done.version_record).toMatchObject({ previous_stage: "shadow", current_stage: "production" });
  const [spent] = await given.world.sql("select used_at from ml_approvals where approval_id = $1", [
    approval_id,
  ]);
  expect(spent?.["used_at"]).not.toBeNull();
});

test("who asks cannot approve, and an approval for one state of traffic does not hold for the next", async () => {
  const given = await givenDeployer();
  const version = await givenReadyForProduction(given, "run1");
  await given.db.principals.enrol("ana", "ana-has-a-long-secret-too");
  const request = {
    deployment_action: "promote",
    model_version_id: version,
    target_stage: "production" as const,
  };
  const first = await errorOf(given.agent.execute(request));
  const operation_id = String(first.details["operation_id"]);
  const own = given.db.approvals.grant({ token: "ana-has-a-long-secret-too", operation_id, reason: "mine" });
  expect((await errorOf(own)).code).toBe("invalid_approval");
  await approve(given, operation_id);
  const again = await deploy(given, version, "shadow");
  given.router.sendTraffic(ENDPOINT, 1000);
  await given.world.sql(
    "update ml_deployments set activated_at = activated_at - interval '24 hours' where deployment_id = $1",
    [again.deployment_id],
  );
  expect((await errorOf(given.agent.execute(request))).code).toBe("approval_required");
});

test("without a checkpointer the approval is asked for by an error, and repeating the request goes on", async () => {
  const given = await givenDeployer();
  const version = await givenReadyForProduction(given, "run1");
  const answer = await promoteWithApproval(given, version);
  expect(answer).toMatchObject({ status: "completed", version_record: { current_stage: "production" } });
  expect(answer.spans.map((span) => span.operation)).toContain("carry_out");
});

test("a later version supersedes the one before it in the same transaction", async () => {
  const given = await givenDeployer();
  const { version: first } = await givenInProduction(given, "run1");
  const second = await givenReadyForProduction(given, "run2");
  await promoteWithApproval(given, second);
  expect((await given.db.modelVersions.get(first))?.stage).toBe("archived");
  expect((await given.db.modelVersions.getProduction(EXPERIMENT))?.model_version_id).toBe(second);
});

test("archiving what serves needs an approval, ends its traffic and closes its endpoint", async () => {
  const given = await givenDeployer();
  const { version, deployment } = await givenInProduction(given, "run1");
  await promoteWithApproval(given, version, "archived");
  expect(await given.db.endpoints.get(ENDPOINT)).toMatchObject({ weights: {} });
  expect(await given.router.observe(ENDPOINT, { signal: AbortSignal.timeout(120_000) })).toBeNull();
  await given.worker.tick();
  expect((await given.db.deployments.get(deployment))?.drained_at).not.toBeNull();
  expect(await given.server.list()).toEqual([]);
});

test("a version that was promoted and never deployed can be withdrawn; the one that serves is at production again", async () => {
  const given = await givenDeployer();
  const { version: first, deployment } = await givenInProduction(given, "run1");
  const second = await givenReadyForProduction(given, "run2");
  await promoteWithApproval(given, second);
  await promoteWithApproval(given, second, "archived");
  expect((await given.db.modelVersions.getProduction(EXPERIMENT))?.model_version_id).toBe(first);
  expect((await given.db.endpoints.get(ENDPOINT))?.weights).toEqual({ [deployment]: 100 });
});

test("a thread that is used again answers for the new request, not for the one before", async () => {
  const given = await givenDeployer();
  const config = liveThread(randomUUID());
  const request = { experiment_id: EXPERIMENT, mlflow_run_id: "run1" };
  const first = await given.graph.invoke({ deployment_action: "register", ...request }, config);
  expect(first.version_record).not.toBeNull();
  const wrong = given.graph.invoke({ deployment_action: "fly" }, config);
  expect((await errorOf(wrong)).code).toBe("invalid_deployment_action");
  await expect(act(given, "fly", {})).rejects.toThrow(/Unknown action: "fly"/);
});
