import { readConfiguration } from "../configuration.ts";
import { createLazyModelDeployer } from "../lazy_model_deployer.ts";
import { createPipelineGraph } from "./graph.ts";

/**
 * The graphs that langgraph.json names. Importing connects to nothing and starts nothing; the first run does. A
 * development server plans only, unless `context.effects` says `live`.
 */
const deployer = createLazyModelDeployer(readConfiguration(process.env), {
  onProgress: (line) => process.stderr.write(`${line}\n`),
});

export const model_deployer = deployer.graph;
export const pipeline = createPipelineGraph(deployer.agent);
