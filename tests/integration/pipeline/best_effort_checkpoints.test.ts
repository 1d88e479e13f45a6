import { Annotation, END, START, StateGraph } from "@langchain/langgraph";
import { expect, inject, onTestFinished, test } from "vitest";
import { z } from "zod";
import { createModelDeployerGraph } from "../../../src/agents/model_deployer/graph.ts";
import {
  BestEffortCheckpoints,
  type CheckpointsChange,
} from "../../../src/pipeline/best_effort_checkpoints.ts";
import { createCheckpoints } from "../../../src/pipeline/checkpoints.ts";
import { pollUntil } from "../../../src/testing/poll.ts";
import { rolloutThread } from "../../../src/worker/rollouts/rollout_thread.ts";
import { Worker } from "../../../src/worker/worker.ts";
import { FaultProxy } from "../../faults/harness/fault_proxy.ts";
import { ENDPOINT } from "../../support/given/given_deployer.ts";
import { givenRollout, type GivenRollout, weights } from "../../support/given/given_rollout.ts";
import { createScratchDatabase } from "../../support/services/scratch_database.ts";

const impatient = { patienceMs: 300, triedAgainAfterMs: 1 };

/** Best effort through a proxy, and the same checkpoints read straight from their database. */
async function givenCheckpoints(databaseUrl: string) {
  const { proxy, url } = await FaultProxy.beforeUrl(databaseUrl);
  onTestFinished(() => proxy.close());
  const changes: CheckpointsChange[] = [];
  const through = await createCheckpoints(url);
  const checkpointer = new BestEffortCheckpoints(through, (change) => changes.push(change), impatient);
  const kept = await createCheckpoints(databaseUrl);
  onTestFinished(async () => {
    await proxy.mend();
    await Promise.all([checkpointer.end(), kept.end()]);
  });
  return { proxy, checkpointer, kept, changes };
}

/** A change is told as it happens, and only then. */
const keptOf = (changes: CheckpointsChange[]) => changes.map(({ kept }) => kept);

async function tick(given: GivenRollout, worker: Worker) {
  await given.world.sql("update ml_rollouts set next_tick_at = clock_timestamp()");
  const { rollouts, problems } = await worker.tick();
  return { advances: rollouts.map(({ advance }) => advance), problems };
}

test.for(["refuse", "reset", "black_hole", "reply_lost"] as const)(
  "a worker moves rollouts on and rolls them back while its checkpoints meet %s",
  async (fault) => {
    const given = await givenRollout();
    const { proxy, checkpointer, kept, changes } = await givenCheckpoints(given.world.url);
    await checkpointer.setup();
    const graph = createModelDeployerGraph(given.capabilities, { checkpointer });
    const worker = new Worker(given.capabilities, graph);
    await proxy.set(fault);
    given.router.sendTraffic(ENDPOINT, 1000);
    expect(await tick(given, worker)).toEqual({ advances: ["move"], problems: [] });
    expect(await weights(given)).toEqual({ [given.old]: 50, [given.candidate]: 50 });
    expect(keptOf(changes)).toEqual([false]);

    expect(await tick(given, worker), "sees the new weights").toMatchObject({ advances: ["hold"] });
    given.router.sendTraffic(ENDPOINT, 1000, { [given.candidate]: { error_rate: 1 } });
    expect(await tick(given, worker)).toEqual({ advances: ["move"], problems: [] });
    expect(await weights(given)).toEqual({ [given.old]: 100 });
    expect(keptOf(changes)).toEqual([false]);
    const thread = { configurable: { thread_id: rolloutThread(given.rolloutId) } };
    expect(await kept.getTuple(thread)).toBeUndefined();
  },
);

const Numbers = Annotation.Root({
  given: Annotation<number>,
  doubled: Annotation<number>,
  tripled: Annotation<number>,
});

const number = z.number().default(0);
const numbersRow = z.object({ given: number, doubled: number, tripled: number });

test("whatever reply is lost, each checkpoint of the thread is whole, and a later run is kept", async () => {
  const database = await createScratchDatabase(inject("databaseUrl"));
  onTestFinished(() => database.drop());
  const { proxy, checkpointer, kept, changes } = await givenCheckpoints(database.url);
  await checkpointer.setup();
  const numbersGraph = new StateGraph(Numbers)
    .addNode("double", ({ given }) => ({ doubled: given * 2 }))
    .addNode("triple", ({ given, doubled }) => ({ tripled: given + doubled }))
    .addEdge(START, "double")
    .addEdge("double", "triple")
    .addEdge("triple", END);
  const graph = numbersGraph.compile({ checkpointer });
  const reader = numbersGraph.compile({ checkpointer: kept });
  const numbers = (given: number) => ({ given, doubled: given * 2, tripled: given * 3 });

  let [isCut, afterReplies] = [true, 1];
  while (isCut) {
    const onThread = { configurable: { thread_id: `cut ${afterReplies}` }, durability: "sync" } as const;
    expect(await graph.invoke({ given: 1 }, onThread)).toEqual(numbers(1));
    // The very next call would be answered again.
    await proxy.set("reply_lost", { afterReplies, times: 1 });
    expect(await graph.invoke({ given: 2 }, onThread)).toEqual(numbers(2));
    const hasBitten = proxy.hasBitten;
    await proxy.mend();
    const newest = async () => (await kept.getTuple(onThread))?.checkpoint.channel_values["given"];
    // Where the machine was slower than the patience, nothing was kept and so nothing was cut: the same cut again.
    isCut = hasBitten || (await newest()) !== 2;
    const isKept = async () => {
      expect(await graph.invoke({ given: 3 }, onThread)).toEqual(numbers(3));
      return (await newest()) === 3;
    };
    await pollUntil(isKept, { deadlineMs: 120_000, what: `kept run, cut after ${afterReplies} replies` });
    for await (const { values, next } of reader.getStateHistory(onThread)) {
      const { given, doubled, tripled } = numbersRow.parse(values);
      if (next.includes("triple")) expect({ given, doubled }).toEqual({ given, doubled: given * 2 });
      if (next.length === 0) expect({ given, doubled, tripled }).toEqual(numbers(given));
    }
    if (hasBitten) afterReplies += 1;
  }
  expect(afterReplies).toBeGreaterThan(10);
  expect(keptOf(changes).slice(0, 2)).toEqual([false, true]);
});
