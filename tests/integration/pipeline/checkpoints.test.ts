import { randomUUID } from "node:crypto";
import { Command } from "@langchain/langgraph";
import { describe, expect, it, onTestFinished } from "vitest";
import { ModelDeployerAgent } from "../../../src/agents/model_deployer/agent.ts";
import { createModelDeployerGraph } from "../../../src/agents/model_deployer/graph.ts";
import { createCheckpoints } from "../../../src/pipeline/checkpoints.ts";
import { createPipelineGraph, type PipelineGraph } from "../../../src/pipeline/pipeline_graph.ts";
import {
  anotherProcess,
  approve,
  EXPERIMENT,
  givenDeployer,
  type GivenDeployer,
  givenReadyForProduction,
  promote,
  questionOf,
  register,
} from "../../support/given/given_deployer.ts";
import { json, StubServer, text } from "../../unit/mlops/mlflow/stub_server.ts";
import { endpointAnswer, predictionRequest } from "../../unit/pipeline/given.ts";

/** The pipeline as one process has it: its own graph, its own connection to the checkpoints. */
async function pipelineOf(given: GivenDeployer): Promise<PipelineGraph> {
  const checkpointer = await createCheckpoints(given.world.url);
  onTestFinished(() => checkpointer.end());
  await checkpointer.setup();
  const deployer = new ModelDeployerAgent(createModelDeployerGraph(given.capabilities));
  return createPipelineGraph(deployer, { checkpointer });
}

function newThread() {
  return {
    configurable: { thread_id: randomUUID() },
    context: { effects: "live" },
  } as const;
}

function jsonOnly(value: unknown): unknown {
  const copy: unknown = JSON.parse(JSON.stringify(value));
  return copy;
}

describe("the pipeline on Postgres checkpoints", () => {
  it("waits for an approval in one process and goes on in another", async () => {
    const given = await givenDeployer();
    const model_version_id = await givenReadyForProduction(given, "run1");
    const first = await pipelineOf(given);
    const thread = newThread();
    const request = { deployment_action: "promote", model_version_id, target_stage: "production" };
    const importances = { importance: { age: 0.7, dose: 0.2 }, samples_analyzed: 12 };
    const waiting = await first.invoke({ ...request, feature_importances: importances }, thread);
    const question = questionOf(waiting);
    expect(question).toMatchObject({ kind: "approval_required", approvals_needed: 1, refused: null });

    const second = await pipelineOf(anotherProcess(given));
    const stored = await second.getState(thread, { subgraphs: true });
    expect(stored.next).toEqual(["model_deployer"]);
    expect(jsonOnly(stored.values)).toEqual(stored.values);
    const [deployerTask] = stored.tasks;
    expect(deployerTask?.interrupts.map((one): unknown => one.value)).toEqual([question]);
    expect(deployerTask?.state).toMatchObject({ next: ["promote"] });

    const boolean = await second.invoke(new Command({ resume: true }), thread);
    expect(questionOf(boolean).refused).toContain("nothing else approves");
    expect((await given.db.modelVersions.get(model_version_id))?.stage).toBe("shadow");

    const { approval_id } = await approve(given, question.operation_id);
    const third = await pipelineOf(anotherProcess(given));
    const state = await third.invoke(new Command({ resume: { approval_id } }), thread);
    expect(state).toMatchObject({ status: "completed", errors: [], top_features: ["age", "dose"] });
    expect(state.version_record).toMatchObject({ previous_stage: "shadow", current_stage: "production" });
    expect(state.prediction).toMatchObject({ outcome: "skipped" });
    expect(state.observability_summary?.by_agent).toHaveProperty("model_deployer");
    expect((await given.db.modelVersions.get(model_version_id))?.stage).toBe("production");
    expect(jsonOnly(state)).toEqual(state);
  });

  it("deploys, asks the endpoint and keeps both over a restart", async () => {
    const given = await givenDeployer();
    const endpoint = new StubServer();
    endpoint.answerInTurn(text("ok"), json(endpointAnswer));
    const endpoint_url = await endpoint.start();
    onTestFinished(() => endpoint.stop());
    // The fake router serves nothing, so that the endpoint's address is led to a server of the test.
    const open = given.router.open.bind(given.router);
    given.router.open = async (...asked) => ({ ...(await open(...asked)), endpoint_url });
    const model_version_id = await register(given, "run1");
    await promote(given, model_version_id, "staging");
    const request = { deployment_action: "deploy", model_version_id, target_stage: "staging" };
    const thread = newThread();
    const pipeline = await pipelineOf(given);
    const state = await pipeline.invoke({ ...request, prediction_request: predictionRequest }, thread);
    expect(state.deployment_manifest).toMatchObject({ model_version_id, endpoint_url, status: "active" });
    expect(state.prediction).toMatchObject({ outcome: "predicted", endpoint_url, ...endpointAnswer });
    const stored = await (await pipelineOf(anotherProcess(given))).getState(thread);
    expect(stored.values).toEqual(jsonOnly(state));
    expect(stored.next).toEqual([]);
  });

  it("goes on to the next action of a thread after a failed one", async () => {
    const given = await givenDeployer();
    const pipeline = await pipelineOf(given);
    const thread = newThread();
    const failed = await pipeline.invoke(
      { deployment_action: "rollback", current_deployment_id: "dep_none", rollback_reason: "bad" },
      thread,
    );
    expect(failed).toMatchObject({ status: "failed", errors: [{ agent_name: "model_deployer" }] });
    const register = { deployment_action: "register", experiment_id: EXPERIMENT, mlflow_run_id: "run1" };
    const state = await pipeline.invoke(register, thread);
    expect(state).toMatchObject({ status: "completed", version_record: { current_stage: "development" } });
    expect(state.errors).toHaveLength(1);
  });
});
