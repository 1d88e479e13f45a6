import { Annotation, END, MemorySaver, START, StateGraph } from "@langchain/langgraph";
import { expect, test } from "vitest";
import {
  BestEffortCheckpoints,
  type CheckpointsChange,
} from "../../../src/pipeline/best_effort_checkpoints.ts";
import { pollUntil } from "../../../src/testing/poll.ts";

/** Its `put` waits while it is held. */
class HeldSaver extends MemorySaver {
  #held: Promise<void> | null = null;
  release: () => void = () => undefined;
  late = 0;

  hold(): void {
    this.#held = new Promise((resolve) => (this.release = resolve));
  }

  override async put(...given: Parameters<MemorySaver["put"]>) {
    const held = this.#held;
    this.#held = null;
    await held;
    const kept = await super.put(...given);
    if (held !== null) this.late += 1;
    return kept;
  }

  setup(): Promise<void> {
    return Promise.resolve();
  }

  end(): Promise<void> {
    return Promise.resolve();
  }
}

test("a run is not kept while a call of the one before it may still come late", async () => {
  const saver = new HeldSaver();
  const changes: CheckpointsChange[] = [];
  const options = { patienceMs: 50, triedAgainAfterMs: 1 };
  const checkpointer = new BestEffortCheckpoints(saver, (change) => changes.push(change), options);
  const graph = new StateGraph(Annotation.Root({ given: Annotation<number> }))
    .addNode("keep", ({ given }) => ({ given }))
    .addEdge(START, "keep")
    .addEdge("keep", END)
    .compile({ checkpointer });
  const onThread = { configurable: { thread_id: "t" }, durability: "sync" } as const;
  const keptNumber = async () => (await saver.getTuple(onThread))?.checkpoint.channel_values["given"];

  saver.hold();
  expect(await graph.invoke({ given: 1 }, onThread)).toEqual({ given: 1 });
  expect(changes).toEqual([{ kept: false, why: "its database does not answer in time" }]);
  expect(await graph.invoke({ given: 2 }, onThread)).toEqual({ given: 2 });
  expect(await keptNumber()).toBeUndefined();

  saver.release();
  await pollUntil(() => saver.late > 0, { deadlineMs: 120_000, what: "late checkpoint" });
  expect(await graph.invoke({ given: 3 }, onThread)).toEqual({ given: 3 });
  expect(await keptNumber()).toBe(3);
  expect(changes.at(-1)).toEqual({ kept: true });
});
