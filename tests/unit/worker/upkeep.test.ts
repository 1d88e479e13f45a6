import { expect, test } from "vitest";
import { createModelDeployerGraph } from "../../../src/agents/model_deployer/graph.ts";
import { createTestDeployer } from "../../../src/testing/index.ts";
import { Worker } from "../../../src/worker/worker.ts";

test("what a worker does by itself is told when it is done, however many rounds that takes", async () => {
  const { capabilities } = await createTestDeployer();
  const [done, ended] = [Promise.withResolvers<string[]>(), new AbortController()];
  const slow = { name: "something slow", every_ms: 0, work: () => done.promise };
  const graph = createModelDeployerGraph(capabilities);
  const worker = new Worker(capabilities, graph, null, null, null, [slow]);
  const told: string[][] = [];
  await worker.run({
    signal: ended.signal,
    idleMs: 1,
    onTick: ({ upkeep }) => {
      told.push(upkeep);
      if (told.length === 3) done.resolve(["something was done"]);
      if (upkeep.length > 0 || told.length === 5_000) ended.abort();
    },
  });
  expect(told.slice(0, 3).flat()).toEqual([]);
  expect(told.flat()).toContain("something was done");
});
