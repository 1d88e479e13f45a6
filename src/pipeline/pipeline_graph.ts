import { type BaseCheckpointSaver, END, START, StateGraph } from "@langchain/langgraph";
import type { ModelDeployerAgent } from "../agents/model_deployer/agent.ts";
import type { MemorySource } from "../agents/base/memory.ts";
import { contextSchema } from "../agents/model_deployer/state/state.ts";
import { FeatureAnalyzerAgent } from "./feature_analyzer.ts";
import { ObservabilityConnectorAgent } from "./observability_connector.ts";
import { type KeyFor, PredictionSynthesizerAgent, type SynthesizerMemory } from "./prediction_synthesizer.ts";
import { PipelineState } from "./pipeline_state.ts";

export interface PipelineOptions {
  /** Needed where promotions wait for approvals. */
  checkpointer?: BaseCheckpointSaver;
  /** The neighbours' memory, such as the deployer's own `parts`; without it they remember nothing. */
  memory?: MemorySource<SynthesizerMemory>;
  /** The key of an endpoint that demands one; without it predictions are asked for without a key. */
  keyFor?: KeyFor;
}

/** The deployer between its neighbours. A failure of one stands in `errors`, and the others go on with the truth. */
export function createPipelineGraph(
  deployer: ModelDeployerAgent,
  { memory, keyFor, ...options }: PipelineOptions = {},
) {
  return new StateGraph({ state: PipelineState, context: contextSchema })
    .addNode("feature_analyzer", new FeatureAnalyzerAgent().asNode())
    .addNode("model_deployer", deployer.asNode(), { subgraphs: [deployer.graph] })
    .addNode("prediction_synthesizer", new PredictionSynthesizerAgent(memory, keyFor).asNode())
    .addNode("observability_connector", new ObservabilityConnectorAgent().asNode())
    .addEdge(START, "feature_analyzer")
    .addEdge("feature_analyzer", "model_deployer")
    .addEdge("model_deployer", "prediction_synthesizer")
    .addEdge("model_deployer", "observability_connector")
    .addEdge("prediction_synthesizer", END)
    .addEdge("observability_connector", END)
    .compile({ name: "pipeline", ...options })
    .withConfig({ durability: "sync" });
}

export type PipelineGraph = ReturnType<typeof createPipelineGraph>;
