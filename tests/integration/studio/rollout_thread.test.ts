import { expect, inject, onTestFinished, test } from "vitest";
import { mlflowEnvironment } from "../../../src/wiring/settings/mlflow_settings.ts";
import { createModelDeployerGraph } from "../../../src/agents/model_deployer/graph.ts";
import { createCheckpoints } from "../../../src/pipeline/checkpoints.ts";
import { rolloutThread } from "../../../src/worker/rollouts/rollout_thread.ts";
import { Worker } from "../../../src/worker/worker.ts";
import { ENDPOINT } from "../../support/given/given_deployer.ts";
import { givenRollout, weights } from "../../support/given/given_rollout.ts";
import { startDevelopmentServer } from "./development_server.ts";

test("the steps that a worker has taken are runs on the rollout's thread, which Studio opens", async () => {
  const given = await givenRollout();
  const checkpointer = await createCheckpoints(given.world.url);
  onTestFinished(() => checkpointer.end());
  await checkpointer.setup();
  const worker = new Worker(
    given.capabilities,
    createModelDeployerGraph(given.capabilities, { checkpointer }),
  );
  const expectLook = async (advance: "hold" | "move") => {
    await given.world.sql("update ml_rollouts set next_tick_at = clock_timestamp()");
    expect((await worker.tick()).rollouts).toMatchObject([{ advance }]);
  };
  given.router.sendTraffic(ENDPOINT, 1000);
  await expectLook("move");
  await expectLook("hold");
  given.router.sendTraffic(ENDPOINT, 1000);
  await expectLook("move");
  expect(await weights(given)).toEqual({ [given.candidate]: 100 });

  const { client } = await startDevelopmentServer({
    DATABASE_URL: given.world.url,
    REDIS_URL: inject("redisUrl"),
    ...mlflowEnvironment(inject("mlflow")),
    MODEL_DEPLOYER_CHECKPOINTS_URL: given.world.url,
  });
  const threadId = rolloutThread(given.rolloutId);
  await client.threads.create({ threadId, graphId: "model_deployer" });
  const history = await client.threads.getHistory(threadId, { limit: 100 });
  expect(history.filter(({ next }) => next.includes("advance"))).toHaveLength(2);
  const { values } = await client.threads.getState(threadId);
  expect(values).toMatchObject({
    status: "completed",
    action_request: { action: "advance", rollout_id: given.rolloutId },
  });
});
