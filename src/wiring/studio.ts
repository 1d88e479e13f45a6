import { type BaseCheckpointSaver, StateSchema } from "@langchain/langgraph";
import { ModelDeployerAgent } from "../agents/model_deployer/agent.ts";
import { createCapabilities } from "../agents/model_deployer/capabilities.ts";
import { createModelDeployerGraph } from "../agents/model_deployer/graph.ts";
import { readConfiguration } from "./settings/configuration.ts";
import { createLazyModelDeployer } from "./lazy_model_deployer.ts";
import { createCheckpoints } from "../pipeline/checkpoints.ts";
import { endpointKeys } from "./endpoint_keys.ts";
import { createPipelineGraph } from "../pipeline/pipeline_graph.ts";
import { StudioThreads } from "./studio_threads.ts";

/**
 * The graphs that langgraph.json names. Importing connects to nothing and starts nothing; the first run does. A
 * development server plans only, unless `context.effects` says `live`.
 */
const configuration = readConfiguration(process.env);
const deployer = createLazyModelDeployer(configuration, {
  onProgress: (line) => process.stderr.write(`${line}\n`),
});

/** The pipeline has a graph of its own below it: a development server gives checkpoints to each graph that it serves. */
const inPipeline = createModelDeployerGraph(async () => {
  const { parts, settings } = await deployer.open();
  return createCapabilities(parts, settings);
});

export const model_deployer = overProductionThreads(withContextForm(deployer.graph));
export const pipeline = overProductionThreads(
  withContextForm(
    createPipelineGraph(new ModelDeployerAgent(inPipeline), {
      memory: async () => (await deployer.open()).parts,
      keyFor: endpointKeys(configuration),
    }),
  ),
);

/**
 * A development server that finds `getJsonSchema` on a graph's state asks nothing else, and so hands on no schema of the
 * context (langgraph-api 2.0.0, graph/parser/index.mjs). Where that method is not to be found it asks LangGraph, which
 * knows both. What is called is there as before.
 */
function withContextForm<Graph extends { builder: object }>(graph: Graph): Graph {
  const { builder } = graph;
  for (const name of ["_schemaRuntimeDefinition", "_outputRuntimeDefinition"]) {
    const state: unknown = Reflect.get(builder, name);
    if (!StateSchema.isInstance(state)) continue;
    const has = (schema: object, key: PropertyKey) => key !== "getJsonSchema" && Reflect.has(schema, key);
    Reflect.set(builder, name, new Proxy(state, { has }));
  }
  return graph;
}

/**
 * A development server replaces the graph's checkpointer by its own; this setter keeps ours and gives it theirs for the
 * server's own threads.
 */
function overProductionThreads<Graph extends { checkpointer?: unknown }>(graph: Graph): Graph {
  const { checkpointsUrl } = configuration;
  if (checkpointsUrl === null) return graph;
  let opening: ReturnType<typeof createCheckpoints> | null = null;
  const threads = new StudioThreads(() => (opening ??= createCheckpoints(checkpointsUrl)));
  Object.defineProperty(graph, "checkpointer", {
    get: () => threads,
    set: (saver: unknown) => {
      if (isSaver(saver)) threads.keepIn(saver);
    },
  });
  return graph;
}

/** Recognised by its shape, since the development server brings its own copy of the class. */
function isSaver(value: unknown): value is BaseCheckpointSaver {
  return typeof value === "object" && value !== null && "getTuple" in value && "putWrites" in value;
}
