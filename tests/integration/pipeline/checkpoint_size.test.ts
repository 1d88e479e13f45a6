import { randomUUID } from "node:crypto";
import { Command } from "@langchain/langgraph";
import { expect, onTestFinished, test } from "vitest";
import { ModelDeployerAgent } from "../../../src/agents/model_deployer/agent.ts";
import { createModelDeployerGraph } from "../../../src/agents/model_deployer/graph.ts";
import { createCheckpoints } from "../../../src/pipeline/checkpoints.ts";
import { createPipelineGraph } from "../../../src/pipeline/pipeline_graph.ts";
import {
  approve,
  ENDPOINT,
  EXPERIMENT,
  givenDeployer,
  givenInProduction,
  questionOf,
  turnBackActivation,
} from "../../support/given/given_deployer.ts";

/** Ids and summaries: what a state may come to after a whole lifecycle on one thread, and what it may hold at most. */
const WHOLE_STATE_BYTES = 128 * 1024;
const SPANS = 256;

test("a thread's state stays small over a whole lifecycle, and does not grow for ever", async () => {
  const given = await givenDeployer();
  await givenInProduction(given, "run1");
  const checkpointer = await createCheckpoints(given.world.url);
  onTestFinished(() => checkpointer.end());
  await checkpointer.setup();
  const deployer = new ModelDeployerAgent(createModelDeployerGraph(given.capabilities));
  const pipeline = createPipelineGraph(deployer, { checkpointer });
  const thread_id = randomUUID();
  const thread = {
    configurable: { thread_id },
    context: { effects: "live" },
  };
  const ask = (deployment_action: string, request: object) =>
    pipeline.invoke({ deployment_action, ...request }, thread);

  const registered = await ask("register", { experiment_id: EXPERIMENT, mlflow_run_id: "run2" });
  const version = { model_version_id: registered.version_record?.model_version_id };
  for (const target_stage of ["staging", "shadow"]) {
    await ask("promote", { ...version, target_stage });
    const { deployment_manifest: manifest } = await ask("deploy", { ...version, target_stage });
    await turnBackActivation(given, manifest?.deployment_id ?? "", "24 hours");
  }
  given.router.sendTraffic(ENDPOINT, 1000);
  const question = questionOf(await ask("promote", { ...version, target_stage: "production" }));
  const { approval_id } = await approve(given, question.operation_id);
  await pipeline.invoke(new Command({ resume: { approval_id } }), thread);
  const rolling = await ask("deploy", { ...version, target_stage: "production", rollout: "canary" });
  const back = { current_deployment_id: rolling.deployment_manifest?.deployment_id, rollback_reason: "bad" };
  const state = await ask("rollback", back);
  expect(state).toMatchObject({ status: "completed", rollback_successful: true, errors: [] });

  const wholeState = Buffer.byteLength(JSON.stringify(state));
  expect(wholeState).toBeLessThan(WHOLE_STATE_BYTES);
  const [largest] = await given.world.sql(
    "select max(octet_length(blob)) as bytes from public.checkpoint_writes where thread_id = $1",
    [thread_id],
  );
  expect(Number(largest?.["bytes"])).toBeLessThan(WHOLE_STATE_BYTES);

  let last = state;
  for (let round = 0; round < 12; round += 1)
    last = await ask("promote", { ...version, target_stage: "shadow" });
  expect(last.spans?.length).toBeLessThanOrEqual(SPANS);
  expect(Buffer.byteLength(JSON.stringify(last))).toBeLessThan(2 * WHOLE_STATE_BYTES);
}, 240_000);
