import { Command } from "@langchain/langgraph";
import { expect, test } from "vitest";
import type { Stage } from "../../../src/agents/model_deployer/domain/entities.ts";
import {
  approve,
  errorOf,
  givenDeployer,
  type GivenDeployer,
  givenInProduction,
  givenReadyForProduction,
  liveThread,
  questionOf,
  register,
} from "../../support/given/given_deployer.ts";

async function waitingForApproval(given: GivenDeployer, version: string) {
  const thread = liveThread();
  const request = {
    deployment_action: "promote",
    model_version_id: version,
    target_stage: "production" as const,
  };
  const question = questionOf(await given.graph.invoke(request, thread));
  return { thread, question };
}

const stageOf = async ({ db }: GivenDeployer, version: string): Promise<Stage | undefined> =>
  (await db.modelVersions.get(version))?.stage;

/** The newest checkpoint of the thread at which this node comes next, in the subgraph of the action. */
async function checkpointBefore(given: GivenDeployer, thread: ReturnType<typeof liveThread>, node: string) {
  for await (const snapshot of given.graph.getStateHistory(thread)) {
    if (snapshot.next.includes(node)) return { ...thread, ...snapshot.config, context: thread.context };
  }
  return expect.fail(`the thread never stood before ${node}`);
}

test("a person is asked with the plan and what speaks for it", async () => {
  const given = await givenDeployer();
  await givenInProduction(given, "run1");
  const version = await givenReadyForProduction(given, "run2");
  const { question } = await waitingForApproval(given, version);
  expect(question.plan).toMatchObject({ approvals_needed: 1, generation: question.generation });
  expect(question.plan.summary).toContain(`Promote ${version} from shadow to production`);
  expect(question.evidence).toMatchObject({
    metrics: { test_auc: 0.9 },
    success_criteria: { minimum_auc: 0.8 },
    gate_policy: { minimum_shadow_requests: 1000 },
    shadow: { requests: 1000, errors: 0 },
    feature_shift: null,
  });
});

test("an approval that stands does not let a run go on that is resumed with anything else", async () => {
  const given = await givenDeployer();
  const version = await givenReadyForProduction(given, "run1");
  const { thread, question } = await waitingForApproval(given, version);
  const { approval_id } = await approve(given, question.operation_id);
  for (const resume of [true, "yes", {}, { approved: true }, { approval_id: "approval_of_mine" }]) {
    const again = questionOf(await given.graph.invoke(new Command({ resume }), thread));
    expect(again.refused).toMatch(/nothing else approves|no valid approval/);
    expect(await stageOf(given, version)).toBe("shadow");
  }
  const done = await given.graph.invoke(new Command({ resume: { approval_id } }), thread);
  expect(done.version_record).toMatchObject({ current_stage: "production" });
});

test("an approval of another operation does not let a run go on", async () => {
  const given = await givenDeployer();
  const version = await givenReadyForProduction(given, "run1");
  const { thread } = await waitingForApproval(given, version);
  const other = questionOf(
    await given.graph.invoke(
      {
        deployment_action: "promote",
        model_version_id: version,
        target_stage: "production",
        request_id: "another",
      },
      liveThread(),
    ),
  );
  const { approval_id } = await approve(given, other.operation_id);
  const again = questionOf(await given.graph.invoke(new Command({ resume: { approval_id } }), thread));
  expect(again.refused).toContain("no valid approval of this operation");
  expect(await stageOf(given, version)).toBe("shadow");
});

test("a replay of a finished run gets the same answer and changes nothing", async () => {
  const given = await givenDeployer();
  const version = await register(given, "run1");
  const thread = liveThread();
  const request = {
    deployment_action: "promote",
    model_version_id: version,
    target_stage: "staging" as const,
    request_id: "once",
  };
  const first = await given.graph.invoke(request, thread);
  const before = await given.db.history.list("remission");
  const again = await given.graph.invoke(null, await checkpointBefore(given, thread, "promote"));
  expect(again.version_record).toEqual(first.version_record);
  expect(again.operation_id).toBe(first.operation_id);
  expect(await given.db.history.list("remission")).toEqual(before);
});

test("a fork that asks for something else meets the journal and is refused", async () => {
  const given = await givenDeployer();
  const version = await register(given, "run1");
  const other = await register(given, "run2");
  const thread = liveThread();
  const request = {
    deployment_action: "promote",
    model_version_id: version,
    target_stage: "staging" as const,
  };
  await given.graph.invoke({ ...request, request_id: "once" }, thread);
  const forked = await given.graph.updateState(await checkpointBefore(given, thread, "promote"), {
    action_request: {
      action: "promote",
      model_version_id: other,
      target_stage: "staging",
      current_stage: null,
      promotion_reason: "forked",
    },
  });
  const error = await errorOf(given.graph.invoke(null, { ...forked, context: thread.context }));
  expect(error).toMatchObject({ code: "idempotency_key_reused" });
  expect(await stageOf(given, other)).toBe("development");
});

test("a run that waits live acts for nobody who goes on with it dry", async () => {
  const given = await givenDeployer();
  const version = await givenReadyForProduction(given, "run1");
  const { thread, question } = await waitingForApproval(given, version);
  const { approval_id } = await approve(given, question.operation_id);
  const dry = { ...thread, context: { effects: "dry-run" } };
  const state = await given.graph.invoke(new Command({ resume: { approval_id } }), dry);
  expect(state.warnings).toContain("Dry run: nothing was changed.");
  expect(state.operation_id).toBeNull();
  expect(await stageOf(given, version)).toBe("shadow");
  expect((await given.db.operations.get(question.operation_id))?.status).toBe("awaiting_approval");
});

test("a large shift of the features is in what a person is asked with, in the answer and in the history", async () => {
  const given = await givenDeployer();
  const showing = (version: string, features: string[]) =>
    given.world.sql("update ml_model_registry set shap_evidence = $2 where model_version_id = $1", [
      version,
      JSON.stringify({ shap_analysis_id: null, top_features: features, samples_analyzed: 100 }),
    ]);
  const { version: serving } = await givenInProduction(given, "run1");
  await showing(serving, ["age", "dose", "sex"]);
  const version = await givenReadyForProduction(given, "run2");
  await showing(version, ["zip", "brand", "age"]);
  const { thread, question } = await waitingForApproval(given, version);
  const sentence = question.notes.join();
  expect(sentence).toContain(`not those of ${serving} at production: zip, brand, age against age, dose, sex`);
  expect(question.evidence["feature_shift"]).toMatchObject({ is_large: true });
  const { approval_id } = await approve(given, question.operation_id);
  const done = await given.graph.invoke(new Command({ resume: { approval_id } }), thread);
  expect(done.warnings).toContain(sentence);
  const kept = await given.world.sql(
    "select evidence->'feature_shift'->>'production_model_version_id' as served from ml_stage_history where to_stage = 'production' and model_version_id = $1",
    [version],
  );
  expect(kept).toEqual([{ served: serving }]);
});
