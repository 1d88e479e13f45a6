import { setImmediate } from "node:timers/promises";
import { MemorySaver } from "@langchain/langgraph";
import { expect, test } from "vitest";
import { ModelDeployerAgent } from "../../../src/agents/model_deployer/agent.ts";
import { createModelDeployerGraph } from "../../../src/agents/model_deployer/graph.ts";
import { ServiceUnavailableError } from "../../../src/agents/model_deployer/errors.ts";
import { createPipelineGraph } from "../../../src/pipeline/pipeline_graph.ts";

/** Turns of the event loop that a checkpoint takes: a graph that does not wait for it is far ahead by then. */
const TURNS = 50;

class SlowSaver extends MemorySaver {
  readonly events: string[];

  constructor(events: string[]) {
    super();
    this.events = events;
  }

  override async put(...given: Parameters<MemorySaver["put"]>) {
    for (let turn = 0; turn < TURNS; turn += 1) await setImmediate();
    const [{ configurable }, , { step }] = given;
    // Graphs below the one that was invoked count for themselves.
    if (configurable?.["checkpoint_ns"] === "") this.events.push(`kept step ${step}`);
    return super.put(...given);
  }
}

const request = { deployment_action: "promote", model_version_id: "mv_1", target_stage: "staging" };
const onThread = { configurable: { thread_id: "t" }, context: { effects: "live" } } as const;

/** Its input, what comes of it, and the node before the one that asks. */
const ALL_BEFORE = ["kept step -1", "kept step 0", "kept step 1"];
const before = (event: string, events: string[]) => events.slice(0, events.indexOf(event));

function givenGraphs() {
  const events: string[] = [];
  const capabilities = () => {
    events.push("asked the deployer");
    return Promise.reject(new ServiceUnavailableError("postgres", "Postgres does not answer."));
  };
  const checkpointer = new SlowSaver(events);
  return { events, capabilities, checkpointer };
}

test("the deployer's graph keeps each step before the next one begins, without being told to", async () => {
  const { events, capabilities, checkpointer } = givenGraphs();
  const graph = createModelDeployerGraph(capabilities, { checkpointer });
  await expect(graph.invoke(request, onThread)).rejects.toMatchObject({ code: "service_unavailable" });
  expect(before("asked the deployer", events)).toEqual(expect.arrayContaining(ALL_BEFORE));
});

test("so does the pipeline's", async () => {
  const { events, capabilities, checkpointer } = givenGraphs();
  // A wait below must not hide that the pipeline does not wait.
  const below = createModelDeployerGraph(capabilities).withConfig({ durability: "async" });
  const deployer = new ModelDeployerAgent(below);
  const state = await createPipelineGraph(deployer, { checkpointer }).invoke(request, onThread);
  expect(state).toMatchObject({ status: "failed", errors: [{ code: "service_unavailable" }] });
  expect(before("asked the deployer", events)).toEqual(expect.arrayContaining(ALL_BEFORE));
});
