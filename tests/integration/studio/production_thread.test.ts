import { randomUUID } from "node:crypto";
import { expect, inject, onTestFinished, test } from "vitest";
import { mlflowEnvironment } from "../../../src/wiring/settings/mlflow_settings.ts";
import { ModelDeployerAgent } from "../../../src/agents/model_deployer/agent.ts";
import { createModelDeployerGraph } from "../../../src/agents/model_deployer/graph.ts";
import { createCheckpoints } from "../../../src/pipeline/checkpoints.ts";
import { createPipelineGraph } from "../../../src/pipeline/pipeline_graph.ts";
import { EXPERIMENT, givenDeployer } from "../../support/given/given_deployer.ts";
import { startDevelopmentServer } from "./development_server.ts";

test("a production thread can be opened and read; what is replayed from it is kept elsewhere", async () => {
  const given = await givenDeployer();
  const checkpointer = await createCheckpoints(given.world.url);
  onTestFinished(() => checkpointer.end());
  await checkpointer.setup();
  const deployer = new ModelDeployerAgent(createModelDeployerGraph(given.capabilities));
  const pipeline = createPipelineGraph(deployer, { checkpointer });
  const threadId = randomUUID();
  const thread = { configurable: { thread_id: threadId } };
  const input = { deployment_action: "register", experiment_id: EXPERIMENT, mlflow_run_id: "run1" };
  const state = await pipeline.invoke(input, {
    ...thread,
    context: { effects: "live" },
  });
  const kept: string[] = [];
  for await (const { config } of pipeline.getStateHistory(thread))
    kept.push(String(config.configurable?.["checkpoint_id"]));
  const tables = () =>
    given.world.sql(
      "select t::text from public.checkpoints t union all select t::text from public.checkpoint_writes t order by 1",
    );
  const before = await tables();

  const { client } = await startDevelopmentServer({
    DATABASE_URL: given.world.url,
    REDIS_URL: inject("redisUrl"),
    ...mlflowEnvironment(inject("mlflow")),
    MODEL_DEPLOYER_CHECKPOINTS_URL: given.world.url,
  });
  await client.threads.create({ threadId, graphId: "pipeline" });
  const opened = await client.threads.getState(threadId);
  expect(opened.values).toEqual(JSON.parse(JSON.stringify(state)));
  const history = await client.threads.getHistory(threadId, { limit: 100 });
  expect(history.map((one) => one.checkpoint.checkpoint_id)).toEqual(kept);

  const start = history.find((one) => one.next.includes("model_deployer"));
  const checkpointId = start?.checkpoint.checkpoint_id ?? expect.fail("the deployer never came next");
  const replayed = await client.runs.wait(threadId, "pipeline", { input: null, checkpointId });
  expect(replayed).toHaveProperty("warnings", expect.arrayContaining(["Dry run: nothing was changed."]));
  expect(await tables()).toEqual(before);
  const longer = await client.threads.getHistory(threadId, { limit: 100 });
  expect(longer.length).toBeGreaterThan(kept.length);
  expect(longer.map((one) => one.checkpoint.checkpoint_id)).toEqual(expect.arrayContaining(kept));
});
